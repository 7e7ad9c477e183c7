import { type Caller, mayActFor } from "../../http/caller.ts";
import { Problem } from "../../http/problem.ts";
import { type Log, errorFields } from "../../platform/log.ts";
import { UnsupportedAudio } from "../../speech/audio.ts";
import { recogniseFile } from "../../speech/recognise-file.ts";
import { type Recognition, RecognitionFull } from "../../speech/recognition.ts";
import type { TextJob, TextResult } from "../../text/pipeline.ts";
import { KEPT_MESSAGES_MS, type KeptMessage, type KeptMessages } from "./kept-messages.ts";
import type { Language, Transcription } from "./model.ts";
import type { ListOrder, SegmentRow, TranscriptionStore } from "./store.ts";
import { wavOf } from "./wav-text.ts";

export interface SaveRequest {
  userId: number;
  language: Language;
  transcription?: string | undefined;
}

export interface TranscriptionService {
  save(caller: Caller, request: SaveRequest): Promise<Transcription>;
  /** Keeps a message until it is saved; `audio` is base64 of a WAV file, or text. */
  keep(caller: Caller, userId: number, language: Language, audio: string): Promise<string>;
  /** Makes one transcription of everything kept for a user. Throws `not_found` when there is nothing. */
  saveKept(caller: Caller, userId: number, language: Language | null): Promise<Transcription>;
  get(caller: Caller, id: number): Promise<Transcription>;
  /** A page at a time: those behind the id `after` in that order. */
  list(caller: Caller, after: number, limit: number, order: ListOrder): Promise<Transcription[]>;
  /** Segments of a transcription that `get` has given, in order, after the row `after`. */
  segmentsAfter(row: Transcription, after: number): Promise<SegmentRow[]>;
}

/** Segments that are read at once. */
const SEGMENTS_PAGE = 100;

export interface TranscriptionServiceDependencies {
  store: TranscriptionStore;
  keptMessages: KeptMessages;
  recognition: Recognition | null;
  processText(job: TextJob): Promise<TextResult>;
  newId(): string;
  now(): number;
  log: Log;
}

export function createTranscriptionService(
  dependencies: TranscriptionServiceDependencies,
): TranscriptionService {
  const { store, keptMessages, recognition, processText, newId, now, log } = dependencies;

  const mayAct = (caller: Caller, userId: number): void => {
    if (!mayActFor(caller, userId)) {
      throw new Problem("forbidden", "user_id must be your own");
    }
  };

  /** The words of a message: what was recognised, or the text as it came. */
  const wordsOf = async ({ audio, language }: KeptMessage): Promise<string> => {
    const wav = wavOf(audio);
    if (wav === null) return audio;
    if (recognition === null) throw new Problem("invalid", "No speech engine is installed here");
    try {
      const { segments } = await recogniseFile(recognition, { sound: [wav], language });
      return segments.map(({ text }) => text).join(" ");
    } catch (error) {
      if (error instanceof RecognitionFull) {
        throw new Problem("queue_full", "No recogniser is free", { retryAfterMs: 1_000 });
      }
      if (!(error instanceof UnsupportedAudio)) throw error;
      // Refused when it came; one that another program kept holds no words we could know.
      log.warn(errorFields(error), "a kept message is no sound that can be recognised");
      return "";
    }
  };

  const compose = async (
    userId: number,
    kept: readonly KeptMessage[],
    asked: Language | null,
  ): Promise<Parameters<TranscriptionStore["add"]>[0]> => {
    const texts: string[] = [];
    for (const message of kept) texts.push(await wordsOf(message));
    const transcription = texts.join("\n");
    const language = asked ?? kept.at(-1)?.language ?? "en";
    const { text: processedText, wordCount } = await processText({ text: transcription, language });
    return { userId, language, transcription, processedText, wordCount };
  };

  return {
    save: async (caller, { userId, language, transcription = "" }) => {
      mayAct(caller, userId);
      const { text, wordCount } = await processText({ text: transcription, language });
      return store.add({ userId, language, transcription, processedText: text, wordCount });
    },
    keep: async (caller, userId, language, audio) => {
      mayAct(caller, userId);
      const messageId = newId();
      await keptMessages.keep(userId, { messageId, language, audio });
      return messageId;
    },
    saveKept: async (caller, userId, asked) => {
      mayAct(caller, userId);
      for (;;) {
        const all = await keptMessages.list(userId);
        const ids = all.map((message) => message.messageId);
        // A crash between the commit and the removal leaves messages here that are saved already.
        const saved = await store.savedAmong(ids);
        const fresh = all.filter((message) => !saved.messageIds.has(message.messageId));
        const row =
          fresh.length === 0
            ? saved.latest
            : await store.addFromMessages(
                await compose(userId, fresh, asked),
                fresh.map((message) => message.messageId),
              );
        if (row !== null) {
          await keptMessages.remove(userId, ids);
          await store.forgetSavedBefore(now() - 2 * KEPT_MESSAGES_MS);
          return row;
        }
        if (fresh.length === 0) throw new Problem("not_found", "Nothing is kept for that user");
        // Somebody else saved some of them meanwhile: look again at what is left.
      }
    },
    get: async (caller, id) => {
      const row = await store.get(id);
      if (row === null || !mayActFor(caller, row.user_id)) {
        throw new Problem("not_found", "There is no such transcription");
      }
      return row;
    },
    list: (caller, after, limit, order) =>
      store.list(caller.role === "user" ? caller.userId : null, after, limit, order),
    segmentsAfter: (row, after) => store.segmentsAfter(row.id, after, SEGMENTS_PAGE),
  };
}
