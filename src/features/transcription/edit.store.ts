import { and, asc, desc, eq, lte, sql } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import { type StoredWord, segments, speech_sessions, transcriptions } from "../../schema.ts";
import { splitWords } from "../../text/alignment.ts";
import { timesOf } from "../../text/word-times.ts";
import type { Revision } from "./kept-model.ts";
import type { Transcription } from "./model.ts";
import { createRevisionStore } from "./revision.store.ts";
import type { SearchIndex } from "./search.store.ts";
import type { SegmentRow } from "./store.ts";

/** Changes to kept transcriptions. What an edit replaces stays in the revisions. */
export interface EditStore {
  /** The row of a transcription's newest segment; 0 when it has none. */
  newestSegment(id: number): Promise<number>;
  /** A transcription's segments up to a row, and the state they are in. */
  read(id: number, upTo: number): Promise<EditedState>;
  segment(id: number, segmentId: string): Promise<SegmentRow | null>;
  /**
   * Does an edit in one transaction: text, processed text, counts, index and revision. `gone` when
   * there is no such transcription or segment; `stale` when it is no longer as `updatedAt` says;
   * `changed` when somebody edited the text since it was read.
   */
  apply(edit: Edit): Promise<Transcription | "gone" | "stale" | "changed">;
  /** Newest first, older than the revision `before`. */
  revisions(id: number, before: number | null, limit: number): Promise<Revision[]>;
  /** The whole text before any edit. */
  original(id: number): Promise<string>;
  /**
   * Deletes it with everything that hangs on it; `live`, and nothing done, while it is spoken. A
   * long one goes in several transactions; what a crash leaves of it can be deleted again.
   */
  remove(id: number): Promise<"removed" | "gone" | "live">;
  /** The same while it is spoken, too: whoever holds its session finds that it is gone. */
  erase(id: number): Promise<void>;
}

export interface EditedState {
  /** The newest revision; 0 when there is none. */
  revision: number;
  segments: Pick<SegmentRow, "segment_id" | "text" | "language">[];
}

export interface Edit {
  id: number;
  /** Who edits. */
  userId: number;
  /** What `updated_at` has to be; null when that does not matter. */
  updatedAt: number | null;
  /** The new title; undefined leaves the one there is. */
  title: string | null | undefined;
  text: SegmentEdit | WholeEdit | null;
}

export interface SegmentEdit {
  kind: "segment";
  change: SegmentChange;
}

/** A new text for all segments up to the row `upTo`; later ones stay as they are behind it. */
export interface WholeEdit {
  kind: "transcription";
  text: string;
  upTo: number;
  /** The revision at which the segments were read. */
  revision: number;
  changes: readonly SegmentChange[];
}

export interface SegmentChange {
  segmentId: string;
  text: string;
  processedText: string;
  wordCount: number;
}

/** Segments that one transaction deletes. */
const REMOVED_SEGMENTS = 200;

/** What became of a text: what the whole is now (null: what it was), or why nothing was done. */
type Applied = { whole: string | null } | { failed: "gone" | "changed" };

export interface EditStoreDependencies {
  database: Pick<Database, "db" | "commit">;
  index: SearchIndex;
  now(): number;
}

export function createEditStore({
  database: { db, commit },
  index,
  now,
}: EditStoreDependencies): EditStore {
  const revisions = createRevisionStore(db, now);

  const find = (id: number): Transcription | undefined =>
    db.select().from(transcriptions).where(eq(transcriptions.id, id)).get();

  const findSegment = (id: number, segmentId: string): SegmentRow | undefined =>
    db
      .select()
      .from(segments)
      .where(and(eq(segments.transcription_id, id), eq(segments.segment_id, segmentId)))
      .get();

  /** The texts of a transcription's segments after a row, with a space between. */
  const joined = (id: number, after: number) =>
    db
      .select({
        text: sql<string>`coalesce(group_concat(nullif(${segments.text}, ''), ' ' ORDER BY ${segments.id}), '')`,
        processed: sql<string>`coalesce(group_concat(nullif(${segments.processed_text}, ''), ' ' ORDER BY ${segments.id}), '')`,
        original: sql<string>`coalesce(group_concat(nullif(coalesce(${segments.recognised_text}, ${segments.text}), ''), ' ' ORDER BY ${segments.id}), '')`,
        wordCount: sql<number>`coalesce(sum(${segments.word_count}), 0)`,
      })
      .from(segments)
      .where(and(eq(segments.transcription_id, id), sql`${segments.id} > ${after}`))
      .get() ?? { text: "", processed: "", original: "", wordCount: 0 };

  const changeSegment = (row: Transcription, was: SegmentRow, change: SegmentChange): void => {
    const { text, processedText, wordCount } = change;
    db.update(segments)
      .set({
        text,
        recognised_text: was.recognised_text ?? was.text,
        processed_text: processedText,
        word_count: wordCount,
        words: retimed(was, text),
      })
      .where(eq(segments.id, was.id))
      .run();
    index.put(was.id, { userId: row.user_id, language: was.language, text, processedText });
  };

  /** A transcription in which nothing was said gets the segment that a saved one has. */
  const addSegment = (row: Transcription, change: SegmentChange): void => {
    const { text, processedText, wordCount } = change;
    const { id } = db
      .insert(segments)
      .values({
        transcription_id: row.id,
        segment_id: change.segmentId,
        // Not a number of the session's, whose client heard nothing.
        seq: 0,
        text,
        recognised_text: "",
        processed_text: processedText,
        word_count: wordCount,
        language: row.language,
        start_ms: 0,
        end_ms: 0,
        words: [],
      })
      .returning({ id: segments.id })
      .get();
    index.put(id, { userId: row.user_id, language: row.language, text, processedText });
  };

  const keepRevision = (
    edit: Edit,
    what: Revision["what"],
    before: string | null,
    segmentId: string | null = null,
  ): void => {
    revisions.keep({
      transcription_id: edit.id,
      user_id: edit.userId,
      what,
      segment_id: segmentId,
      text: before,
    });
  };

  /** Changes a segment; says what the whole text is then, null when it is as it was. */
  const applySegment = (row: Transcription, edit: Edit, change: SegmentChange): Applied => {
    const was = findSegment(row.id, change.segmentId);
    if (was === undefined) return { failed: "gone" };
    if (was.text === change.text) return { whole: null };
    keepRevision(edit, "segment", was.text, was.segment_id);
    changeSegment(row, was, change);
    return { whole: joined(row.id, 0).text };
  };

  /** The same for a whole text. */
  const applyWhole = (row: Transcription, edit: Edit, planned: WholeEdit): Applied => {
    const { text, upTo, revision, changes } = planned;
    if (revisions.newest(row.id) !== revision) return { failed: "changed" };
    const later = joined(row.id, upTo).text;
    const whole = later === "" || text === "" ? text + later : `${text} ${later}`;
    if (whole === row.transcription) return { whole: null };
    keepRevision(edit, "transcription", row.transcription);
    for (const change of changes) {
      const was = findSegment(row.id, change.segmentId);
      if (was === undefined) addSegment(row, change);
      else changeSegment(row, was, change);
    }
    return { whole };
  };

  const applyText = (row: Transcription, edit: Edit): Applied => {
    if (edit.text === null) return { whole: null };
    if (edit.text.kind === "segment") return applySegment(row, edit, edit.text.change);
    return applyWhole(row, edit, edit.text);
  };

  const apply = (edit: Edit): Transcription | "gone" | "stale" | "changed" => {
    const row = find(edit.id);
    if (row === undefined) return "gone";
    if (edit.updatedAt !== null && edit.updatedAt !== row.updated_at) return "stale";
    const applied = applyText(row, edit);
    if ("failed" in applied) return applied.failed;
    const text = applied.whole;
    const title = edit.title === undefined ? row.title : edit.title;
    if (title !== row.title) keepRevision(edit, "title", row.title);
    if (text === null && title === row.title) return row;
    const { processed, wordCount } = joined(row.id, 0);
    return db
      .update(transcriptions)
      .set({
        title,
        ...(text === null
          ? {}
          : { transcription: text, processed_text: processed, word_count: wordCount }),
        // Two edits in one millisecond are still two for whoever compares.
        updated_at: Math.max(now(), row.updated_at + 1),
      })
      .where(eq(transcriptions.id, row.id))
      .returning()
      .get();
  };

  /** Deletes the first of the segments, and with the last ones the rest; `more` when some are left. */
  const removeSome = (id: number, isForced = false): "removed" | "gone" | "live" | "more" => {
    const row = find(id);
    if (row === undefined) return "gone";
    if (row.status === "live" && !isForced) return "live";
    // Nobody goes on with it from here.
    db.delete(speech_sessions).where(eq(speech_sessions.transcription_id, id)).run();
    const rows = db
      .select({ id: segments.id })
      .from(segments)
      .where(eq(segments.transcription_id, id))
      .orderBy(asc(segments.id))
      .limit(REMOVED_SEGMENTS)
      .all();
    for (const segment of rows) index.remove(segment.id);
    const last = rows.at(-1)?.id ?? 0;
    db.delete(segments)
      .where(and(eq(segments.transcription_id, id), lte(segments.id, last)))
      .run();
    if (rows.length === REMOVED_SEGMENTS) return "more";
    db.delete(transcriptions).where(eq(transcriptions.id, id)).run();
    return "removed";
  };

  return {
    newestSegment: async (id) =>
      db
        .select({ id: segments.id })
        .from(segments)
        .where(eq(segments.transcription_id, id))
        .orderBy(desc(segments.id))
        .limit(1)
        .get()?.id ?? 0,
    read: async (id, upTo) => ({
      revision: revisions.newest(id),
      segments: db
        .select({
          segment_id: segments.segment_id,
          text: segments.text,
          language: segments.language,
        })
        .from(segments)
        .where(and(eq(segments.transcription_id, id), lte(segments.id, upTo)))
        .orderBy(asc(segments.id))
        .all(),
    }),
    segment: async (id, segmentId) => findSegment(id, segmentId) ?? null,
    apply: (edit) => commit(() => apply(edit)),
    revisions: async (id, before, limit) => revisions.list(id, before, limit),
    original: async (id) => joined(id, 0).original,
    remove: async (id) => {
      let state = await commit(() => removeSome(id));
      while (state === "more") state = await commit(() => removeSome(id));
      return state;
    },
    erase: async (id) => {
      while ((await commit(() => removeSome(id, true))) === "more");
    },
  };
}

/** The words of an edited segment: unchanged ones keep their times, new ones lie between. */
function retimed(was: SegmentRow, text: string): StoredWord[] {
  if (was.words.length === 0) return [];
  const words = splitWords(text);
  const known = was.words.map(({ word, start_ms, end_ms }) => ({
    word,
    startMs: start_ms,
    endMs: end_ms,
  }));
  const times = timesOf(words, known, was.start_ms, was.end_ms);
  return words.map((word, at) => {
    const time = times[at] ?? { startMs: was.start_ms, endMs: was.end_ms, from: null };
    const confidence = time.from === null ? null : (was.words[time.from]?.confidence ?? null);
    return { word, start_ms: time.startMs, end_ms: time.endMs, confidence };
  });
}
