import type { Caller } from "../../http/caller.ts";
import { Problem } from "../../http/problem.ts";
import type { Database } from "../../platform/database.ts";
import { readQuery } from "../../text/search-text.ts";
import { createSnippet } from "../../text/snippet.ts";
import type { FoundPage } from "./kept-model.ts";
import { type SearchRequest, findSegments } from "./search.store.ts";

export interface TranscriptionSearch {
  /** Segments that the caller may see, newest first. Throws `invalid` for a query without words. */
  search(caller: Caller, query: SearchQuery): Promise<FoundPage>;
}

export interface SearchQuery {
  /** Words, of which every one occurs, and phrases in quotation marks. */
  text: string;
  language: string | null;
  /** `next` of the page before. */
  after: number | null;
  limit: number;
}

export interface TranscriptionSearchDependencies {
  /** Runs `searchPage` where it disturbs nobody. */
  find(request: SearchRequest): Promise<FoundPage>;
}

/** Terms of one query; more are refused. */
const TERMS_MAX = 16;
const TERM_WORDS_MAX = 32;
/** Text that is looked through for one page's snippets; past it they show the beginnings. */
const READ_CHARACTERS_MAX = 2_000_000;

export function createTranscriptionSearch({
  find,
}: TranscriptionSearchDependencies): TranscriptionSearch {
  return {
    search: async (caller, { text, language, after, limit }) => {
      const terms = readQuery(text.toWellFormed());
      if (terms.length === 0) throw new Problem("invalid", "q must hold a word to look for");
      if (terms.length > TERMS_MAX || terms.some(({ words }) => words.length > TERM_WORDS_MAX)) {
        throw new Problem(
          "invalid",
          `q may hold ${TERMS_MAX} words or phrases of ${TERM_WORDS_MAX} words`,
        );
      }
      const userId = caller.role === "user" ? caller.userId : null;
      return find({ terms, userId, language, before: after, limit });
    },
  };
}

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
