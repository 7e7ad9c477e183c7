import { asc, eq, gt, sql } from "drizzle-orm";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { Database } from "../../platform/database.ts";
import { search_progress, segments, transcriptions } from "../../schema.ts";
import {
  type SearchTerm,
  WORD_FORM,
  beginningsOf,
  isBeginning,
  searchText,
} from "../../text/search-text.ts";

/** What is indexed of a segment. */
export interface IndexedSegment {
  userId: number;
  language: string;
  text: string;
  /** Null or the same words as the text: nothing more is indexed. */
  processedText: string | null;
}

/** The words of all segments. `put` and `remove` belong inside a commit. */
export interface SearchIndex {
  /** Adds a segment, or takes the place of what was known of it. */
  put(rowId: number, segment: IndexedSegment): void;
  remove(rowId: number): void;
  /**
   * Indexes what was kept before there was an index, or in an older form, a few segments to a
   * commit. Resolves when everything is there.
   */
  catchUp(): Promise<void>;
}

/** One page of what is looked for. */
export interface SearchRequest {
  terms: readonly SearchTerm[];
  /** Whose; null for everybody's. */
  userId: number | null;
  language: string | null;
  /** A segment's row; only those before it. */
  before: number | null;
  limit: number;
}

export interface FoundSegment {
  rowId: number;
  segmentId: string;
  startMs: number;
  endMs: number;
  language: string;
  text: string;
  processedText: string | null;
  transcriptionId: number;
  userId: number;
  title: string | null;
  createdAt: number;
}

/** The virtual table of the migration. */
const segment_search = sqliteTable("segment_search", {
  rowid: integer().notNull(),
  words: text().notNull(),
  processed: text().notNull(),
  facets: text().notNull(),
});

/** Segments that one commit of `catchUp` indexes; the rest waits for the next commit. */
const CATCH_UP_SEGMENTS = 50;
/** No more segments follow in the same commit once these are read; a saved text may be a book. */
const CATCH_UP_CHARACTERS = 16 * 1024;

export function createSearchIndex({ db, commit }: Pick<Database, "db" | "commit">): SearchIndex {
  const forget = db
    .delete(segment_search)
    .where(eq(segment_search.rowid, sql.placeholder("rowId")))
    .prepare();
  const insert = db
    .insert(segment_search)
    .values({
      rowid: sql.placeholder("rowId"),
      words: sql.placeholder("words"),
      processed: sql.placeholder("processed"),
      facets: sql.placeholder("facets"),
    })
    .prepare();

  const put: SearchIndex["put"] = (rowId, { userId, language, text: spoken, processedText }) => {
    const words = searchText(spoken);
    const isSame = processedText === null || processedText === spoken;
    const processed = isSame ? "" : searchText(processedText);
    forget.run({ rowId });
    insert.run({
      rowId,
      words,
      // What differs only in how it is written is found already.
      processed: processed === words ? "" : processed,
      facets: `${ownerFacet(userId)} ${languageFacet(language)}`,
    });
  };

  const next = db
    .select({ segment: segments, userId: transcriptions.user_id })
    .from(segments)
    .innerJoin(transcriptions, eq(transcriptions.id, segments.transcription_id))
    .where(gt(segments.id, sql.placeholder("after")))
    .orderBy(asc(segments.id))
    .limit(1)
    .prepare();

  /** Indexes the next few; whether there may be more. */
  const catchUpSome = (): boolean => {
    const progress = db
      .select()
      .from(search_progress)
      .where(eq(search_progress.form, WORD_FORM))
      .get();
    if (progress === undefined) {
      db.run(sql`INSERT INTO segment_search(segment_search) VALUES ('delete-all')`);
      db.delete(search_progress).run();
      db.insert(search_progress).values({ form: WORD_FORM, segment_id: 0 }).run();
      return true;
    }
    if (progress.segment_id === null) return false;
    let reached: number | null = progress.segment_id;
    let characters = 0;
    for (let count = 0; count < CATCH_UP_SEGMENTS && characters < CATCH_UP_CHARACTERS; count++) {
      const found = next.get({ after: reached });
      if (found === undefined) {
        reached = null;
        break;
      }
      const { id, language, text: spoken, processed_text: processedText } = found.segment;
      put(id, { userId: found.userId, language, text: spoken, processedText });
      characters += spoken.length + (processedText?.length ?? 0);
      reached = id;
    }
    db.update(search_progress).set({ segment_id: reached }).run();
    return reached !== null;
  };

  return {
    put,
    remove: (rowId) => void forget.run({ rowId }),
    catchUp: async () => {
      while (await commit(catchUpSome));
    },
  };
}

/** Finds segments, the newest first. Every term occurs in each of them. */
export function findSegments(
  db: Database["db"],
  { terms, userId, language, before, limit }: SearchRequest,
): FoundSegment[] {
  const facets = [
    ...(userId === null ? [] : [quoted(ownerFacet(userId))]),
    ...(language === null ? [] : [quoted(languageFacet(language))]),
  ];
  const match = [...terms.map(expressionOf), ...facets].join(" AND ");
  // The order of the joins is the one written, so that the index is walked backwards and left as
  // soon as the page is full.
  return db.all<FoundSegment>(sql`
    SELECT ${segments.id} AS rowId, ${segments.segment_id} AS segmentId,
      ${segments.start_ms} AS startMs, ${segments.end_ms} AS endMs,
      ${segments.language} AS language, ${segments.text} AS text,
      ${segments.processed_text} AS processedText, ${transcriptions.id} AS transcriptionId,
      ${transcriptions.user_id} AS userId, ${transcriptions.title} AS title,
      ${transcriptions.created_at} AS createdAt
    FROM segment_search
    CROSS JOIN ${segments} ON ${segments.id} = segment_search.rowid
    CROSS JOIN ${transcriptions} ON ${transcriptions.id} = ${segments.transcription_id}
    WHERE segment_search MATCH ${match} AND segment_search.rowid < ${before ?? Number.MAX_SAFE_INTEGER}
    ORDER BY segment_search.rowid DESC LIMIT ${limit}`);
}

/** What FTS5 is asked for a term. Words hold letters, marks and digits only, so quoting them is enough. */
function expressionOf({ words, isExact }: SearchTerm): string {
  const last = words.at(-1) ?? "";
  if (isExact || !isBeginning(last)) return quoted(words.join(" "));
  const open = beginningsOf(last).map(
    (end) => `${quoted([...words.slice(0, -1), end].join(" "))}*`,
  );
  return `(${open.join(" OR ")})`;
}

function quoted(words: string): string {
  return `"${words}"`;
}

/** Facets begin with a character that no word has. */
function ownerFacet(userId: number): string {
  return `§${userId}`;
}

function languageFacet(language: string): string {
  return `§${language.replace(/[^\p{L}\p{N}]/gu, "")}`;
}
