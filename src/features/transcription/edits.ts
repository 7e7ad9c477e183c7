import { type Caller, mayActFor } from "../../http/caller.ts";
import { Problem } from "../../http/problem.ts";
import { alignWords, splitWords } from "../../text/alignment.ts";
import type { TextJob, TextResult } from "../../text/pipeline.ts";
import type { EditStore, SegmentChange, WholeEdit } from "./edit.store.ts";
import type { Revisions } from "./kept-model.ts";
import type { Transcription } from "./model.ts";
import { type SegmentRow, type TranscriptionStore, textSegmentId } from "./store.ts";

/** Changes to kept transcriptions, by those who may. Others learn nothing: `not_found`. */
export interface TranscriptionEdits {
  /** Throws `conflict` when `updatedAt` is given and somebody was quicker. */
  edit(caller: Caller, id: number, request: EditRequest): Promise<Transcription>;
  revisions(caller: Caller, id: number, after: number | null, limit: number): Promise<Revisions>;
  /** Throws `conflict` while it is spoken. */
  remove(caller: Caller, id: number): Promise<void>;
}

export interface EditRequest {
  transcription: string | undefined;
  segmentId: string | undefined;
  /** Of that segment. */
  text: string | undefined;
  /** Null takes the title away. */
  title: string | null | undefined;
  updatedAt: number | null;
}

export interface TranscriptionEditsDependencies {
  store: TranscriptionStore;
  editStore: EditStore;
  processText(job: TextJob): Promise<TextResult>;
}

/** Whole texts that came between; past it the edit is refused as a conflict. */
const TRIES_MAX = 30;
/** Segments that are processed at once. */
const PROCESSED_AT_ONCE = 200;

export function createTranscriptionEdits(
  dependencies: TranscriptionEditsDependencies,
): TranscriptionEdits {
  const { store, editStore, processText } = dependencies;

  const check = async (caller: Caller, id: number): Promise<Transcription> => {
    const row = await store.get(id);
    if (row === null || !mayActFor(caller, row.user_id)) throw missing("transcription");
    return row;
  };

  const changeOf = async (
    segmentId: string,
    text: string,
    language: string,
  ): Promise<SegmentChange> => {
    const { text: processedText, wordCount } = await processText({ text, language });
    return { segmentId, text, processedText, wordCount };
  };

  /** Spreads a whole text over the segments up to a row. */
  const planWhole = async (row: Transcription, text: string, upTo: number): Promise<WholeEdit> => {
    const { segments, revision } = await editStore.read(row.id, upTo);
    const plan: WholeEdit = { kind: "transcription", text, upTo, revision, changes: [] };
    if (segments.length === 0) {
      return { ...plan, changes: [await changeOf(textSegmentId(row.id), text, row.language)] };
    }
    const texts = spreadText(
      segments.map((segment) => segment.text),
      text,
    );
    const changed = segments.flatMap((segment, at) => {
      const after = texts[at] ?? "";
      return after === segment.text ? [] : [{ segment, after }];
    });
    const changes: SegmentChange[] = [];
    for (let at = 0; at < changed.length; at += PROCESSED_AT_ONCE) {
      const some = changed.slice(at, at + PROCESSED_AT_ONCE);
      const done = some.map(({ segment, after }) =>
        changeOf(segment.segment_id, after, segment.language),
      );
      changes.push(...(await Promise.all(done)));
    }
    return { ...plan, changes };
  };

  const planSegment = async (id: number, segmentId: string, text: string) => {
    const segment: SegmentRow | null = await editStore.segment(id, segmentId);
    if (segment === null) throw missing("segment");
    const change = await changeOf(segmentId, text, segment.language);
    return { kind: "segment" as const, change };
  };

  return {
    edit: async (caller, id, { transcription, segmentId, text, title, updatedAt }) => {
      checkRequest({ transcription, segmentId, text, title });
      const row = await check(caller, id);
      if (updatedAt !== null && updatedAt !== row.updated_at) throw stale();
      // Words that arrive from here on were not seen by whoever sent the text, and stay behind it.
      const upTo = await editStore.newestSegment(id);
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        let planned = null;
        if (transcription !== undefined) planned = await planWhole(row, transcription, upTo);
        else if (segmentId !== undefined) planned = await planSegment(id, segmentId, text ?? "");
        const edit = { id, userId: caller.userId, updatedAt, title, text: planned };
        const done = await editStore.apply(edit);
        if (done === "gone") throw missing("transcription");
        if (done === "stale") throw stale();
        if (done !== "changed") return done;
      }
      throw new Problem("conflict", "Too many edit this at once; try again");
    },
    revisions: async (caller, id, after, limit) => {
      await check(caller, id);
      const found = await editStore.revisions(id, after, limit + 1);
      const page = found.slice(0, limit);
      return {
        original: await editStore.original(id),
        revisions: page,
        next: found.length > limit ? (page.at(-1)?.id ?? null) : null,
      };
    },
    remove: async (caller, id) => {
      await check(caller, id);
      const state = await editStore.remove(id);
      if (state === "gone") throw missing("transcription");
      if (state === "live") {
        throw new Problem("conflict", "It is still being spoken; end the session first");
      }
    },
  };
}

/**
 * Gives each segment its part of a new whole text: the words that it still has, and those that take
 * the place of its own.
 */
function spreadText(texts: readonly string[], text: string): string[] {
  if (texts.length < 2) return texts.map(() => text);
  const owners: number[] = [];
  const before: string[] = [];
  for (const [owner, some] of texts.entries()) {
    for (const word of splitWords(some)) {
      owners.push(owner);
      before.push(word);
    }
  }
  const places = [...text.matchAll(/\S+/gu)];
  const parts: { start: number; end: number }[] = [];
  const blocks = alignWords(
    before,
    places.map(([word]) => word),
  );
  for (const { beforeStart, beforeEnd, afterStart, afterEnd } of blocks) {
    const [replaced, count] = [beforeEnd - beforeStart, afterEnd - afterStart];
    for (let at = 0; at < count; at++) {
      // Words that replace nothing go to the word before them.
      const replacing = beforeStart + Math.floor((at * replaced) / count);
      const owner = owners[replaced === 0 ? Math.max(0, beforeStart - 1) : replacing] ?? 0;
      const place = places[afterStart + at];
      if (place === undefined) continue;
      const part = (parts[owner] ??= { start: place.index, end: 0 });
      part.end = place.index + place[0].length;
    }
  }
  return texts.map((_, owner) => {
    const part = parts[owner];
    return part === undefined ? "" : text.slice(part.start, part.end);
  });
}

function checkRequest(request: Omit<EditRequest, "updatedAt">): void {
  const { transcription, segmentId, text, title } = request;
  if ((segmentId === undefined) !== (text === undefined)) {
    throw new Problem("invalid", "segment_id and text belong together");
  }
  if (transcription !== undefined && text !== undefined) {
    throw new Problem("invalid", "Edit the transcription or one segment, not both");
  }
  if (transcription === undefined && text === undefined && title === undefined) {
    throw new Problem("invalid", "Send transcription, segment_id and text, or title");
  }
}

function missing(what: string): Problem {
  return new Problem("not_found", `There is no such ${what}`);
}

function stale(): Problem {
  return new Problem("conflict", "It was changed since; read it again");
}
