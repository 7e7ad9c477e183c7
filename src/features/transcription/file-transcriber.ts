import { Problem } from "../../http/problem.ts";
import { UnsupportedAudio } from "../../speech/audio.ts";
import { FILE_MS_MAX, type FileSegment, recogniseFile } from "../../speech/recognise-file.ts";
import { type Recognition, RecognitionFull } from "../../speech/recognition.ts";
import type { FileModels } from "./file-models.ts";
import { type FileWishes, wishesOf } from "./file-wishes.ts";
import type { Recognised } from "./openai-answers.ts";
import type { Upload, Uploads } from "./uploads.ts";

/** Recognises files that are uploaded. */
export interface FileTranscriber {
  /**
   * Takes in a form with a user's file. Throws `queue_full` when too many are here, or too many of
   * that user, and what is wrong with the form.
   */
  receive(request: Request, userId: number): Promise<ReceivedFile>;
}

/** A file that is here, with what is wanted of it. */
export interface ReceivedFile {
  wishes: FileWishes;
  /**
   * Waits for its turn, then recognises the file. Rejects with `invalid` when it is no sound that is
   * read, `too_large`, `queue_full`, `upstream_failed`, what `signal` says, or an error when the
   * recogniser dies over it.
   */
  recognise(request: RecogniseRequest): Promise<Recognised>;
  close(): Promise<void>;
}

export interface RecogniseRequest {
  signal: AbortSignal;
  onSegment?(segment: FileSegment): void;
  /** The file is sound, and its first words are on their way. */
  onBegin?(): void;
}

export interface FileTranscriberDependencies {
  recognition: Recognition | null;
  models: FileModels;
  uploads: Uploads;
  /** So many are recognised at the same time. */
  parallel: number;
}

/** So many more are taken in or wait for their turn; whoever comes then is told to come later. */
const WAITING_MAX = 8;
const RETRY_MS = 10_000;

export function createFileTranscriber(dependencies: FileTranscriberDependencies): FileTranscriber {
  const { recognition, models, uploads, parallel } = dependencies;
  const placesMax = parallel + WAITING_MAX;
  // Half of the places are for others, however slowly somebody sends.
  const placesOfOneMax = Math.ceil(placesMax / 2);
  const waiting: (() => void)[] = [];
  /** How many files of each user are here. */
  const places = new Map<number, number>();
  let here = 0;
  let running = 0;

  const takeTurn = async (signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    if (running < parallel) return void running++;
    const turn = Promise.withResolvers<void>();
    const leave = (): void => {
      const at = waiting.indexOf(turn.resolve);
      if (at < 0) return;
      waiting.splice(at, 1);
      turn.reject(signal.reason);
    };
    waiting.push(turn.resolve);
    signal.addEventListener("abort", leave, { once: true });
    try {
      await turn.promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  };

  /** The one that waits longest takes the turn over. */
  const giveTurn = (): void => {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  };

  const recognise = async (
    engine: Recognition,
    upload: Upload,
    language: string,
    { signal: left, onSegment, onBegin }: RecogniseRequest,
  ): Promise<Recognised> => {
    const stop = new AbortController();
    const signal = AbortSignal.any([left, stop.signal]);
    await takeTurn(signal);
    try {
      await engine.loaded().catch(() => {
        throw notLoaded();
      });
      const words = await recogniseFile(engine, {
        sound: upload.sound(),
        language,
        signal,
        ...(onSegment === undefined ? {} : { onSegment }),
        onProgress: (ms) => {
          onBegin?.();
          if (ms > FILE_MS_MAX) stop.abort(tooLong());
        },
      });
      return { ...words, language: languageOf(engine, language) };
    } catch (error) {
      throw toldError(error);
    } finally {
      giveTurn();
    }
  };

  const open = (upload: Upload): Pick<ReceivedFile, "wishes" | "recognise"> => {
    const wishes = wishesOf(upload.fields);
    const language = models.languageFor(wishes.model, wishes.language);
    return {
      wishes,
      recognise: (request) => {
        // `languageFor` has refused already where nothing listens.
        if (recognition === null) throw new Error("nothing listens here");
        return recognise(recognition, upload, language, request);
      },
    };
  };

  return {
    receive: async (request, userId) => {
      if (here >= placesMax) throw full("Too many files are being recognised");
      const ofUser = places.get(userId) ?? 0;
      if (ofUser >= placesOfOneMax) throw full("Too many of your files are being recognised");
      places.set(userId, ofUser + 1);
      here++;
      let upload: Upload | null = null;
      const close = async (): Promise<void> => {
        here--;
        const left = (places.get(userId) ?? 1) - 1;
        if (left === 0) places.delete(userId);
        else places.set(userId, left);
        await upload?.close();
      };
      try {
        upload = await uploads.receive(request);
        return { ...open(upload), close };
      } catch (error) {
        await close();
        throw error;
      }
    },
  };
}

/** What was listened for: a language that was asked for, or the only one that the model knows. */
function languageOf(recognition: Recognition, language: string): string | null {
  if (language !== "auto") return language;
  const [only, ...others] = recognition.modelFor(language)?.languages ?? [];
  return others.length === 0 ? (only ?? null) : null;
}

function toldError(error: unknown): unknown {
  if (error instanceof UnsupportedAudio) {
    const { message } = error;
    return new Problem("invalid", message, { errors: [{ path: "/file", message }] });
  }
  return error instanceof RecognitionFull ? full("No recogniser is free") : error;
}

function full(message: string): Problem {
  return new Problem("queue_full", message, { retryAfterMs: RETRY_MS });
}

function notLoaded(): Problem {
  return new Problem("upstream_failed", "The speech models could not be loaded", { status: 503 });
}

function tooLong(): Problem {
  return new Problem("too_large", `Sound may be ${FILE_MS_MAX / 3_600_000} hours long`);
}
