import type { Database } from "../../platform/database.ts";
import { createSnippet } from "../../text/snippet.ts";
import type { FoundPage } from "./kept-model.ts";
import { type SearchRequest, findSegments } from "./search.store.ts";

/** Text that is looked through for one page's snippets; past it they show the beginnings. */
const READ_CHARACTERS_MAX = 2_000_000;

/** One page of results with their snippets. Synchronous: as long as SQLite and the texts take. */
export function searchPage(db: Database["db"], request: SearchRequest): FoundPage {
  const found = findSegments(db, { ...request, limit: request.limit + 1 });
  const page = found.slice(0, request.limit);
  let left = READ_CHARACTERS_MAX;
  const snippetOf = (text: string, processedText: string | null): string => {
    const read = (some: string): string => some.slice(0, Math.max(left, 1_000));
    const spoken = createSnippet(read(text), request.terms);
    left -= text.length;
    if (spoken.termsShown === request.terms.length || processedText === null) return spoken.html;
    const processed = createSnippet(read(processedText), request.terms);
    left -= processedText.length;
    return processed.termsShown > spoken.termsShown ? processed.html : spoken.html;
  };
  return {
    results: page.map((row) => ({
      id: row.transcriptionId,
      segment: { segment_id: row.segmentId, start_ms: row.startMs, end_ms: row.endMs },
      snippet: snippetOf(row.text, row.processedText),
      user_id: row.userId,
      language: row.language,
      title: row.title,
      created_at: row.createdAt,
    })),
    next: found.length > page.length ? (page.at(-1)?.rowId ?? null) : null,
  };
}
