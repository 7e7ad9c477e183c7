import { UnsupportedAudio } from "./audio.ts";
import { type HeardWord, ServiceFailed } from "./engine.ts";
import type { RecognitionEvent, StreamFailure } from "./messages.ts";
import type { Recognition, RecognitionStream } from "./recognition.ts";
import { ENDPOINTING_MS, msOf } from "./segmenter.ts";

/** One utterance of a file. */
export interface FileSegment {
  text: string;
  startMs: number;
  endMs: number;
  words: HeardWord[];
  /** Null when the engine does not say. */
  language: string | null;
}

export interface FileWords {
  segments: FileSegment[];
  durationMs: number;
}

export interface FileRequest {
  /** The bytes of a sound file of any kind that is read here, in pieces of any size. */
  sound: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  /** A tag, or `auto`. */
  language: string;
  /** The silence that ends an utterance. */
  endpointingMs?: number;
  /** Each utterance, as soon as it is known. */
  onSegment?(segment: FileSegment): void;
  /** How much of the sound, and of its bytes, is done. */
  onProgress?(processedMs: number, bytes: number): void;
  signal?: AbortSignal;
}

/** So much is on its way to the recogniser; the rest stays where it comes from. */
const UNDERWAY_BYTES_MAX = 256 * 1024;
const PIECE_BYTES_MAX = 64 * 1024;
/** Past it a file is taken for a mistake, or an attack. */
export const FILE_MS_MAX = 12 * 3_600_000;

/**
 * The utterances of a whole sound file, in order; memory does not grow with its length. Throws
 * `UnsupportedAudio`, `ServiceFailed`, `RecognitionFull`, what `signal` says, or an error when the
 * recogniser dies over it.
 */
export async function recogniseFile(
  recognition: Recognition,
  request: FileRequest,
): Promise<FileWords> {
  const {
    sound,
    language,
    endpointingMs = ENDPOINTING_MS,
    onSegment,
    onProgress,
    signal,
  } = request;
  const segments: FileSegment[] = [];
  const end = Promise.withResolvers<void>();
  // It is waited for only when all sound is on its way.
  end.promise.catch(() => {});
  let isOver = false;
  let processedMs = 0;
  let underwayBytes = 0;
  let takenBytes = 0;
  let wake = (): void => {};

  const finish = (error?: unknown): void => {
    isOver = true;
    if (error === undefined) end.resolve();
    else end.reject(error);
    wake();
  };

  const receive = (event: RecognitionEvent): void => {
    if ("processed" in event) {
      processedMs = msOf(event.processed);
      onProgress?.(processedMs, takenBytes);
      if (processedMs > FILE_MS_MAX) finish(new UnsupportedAudio("The sound is too long."));
    }
    switch (event.type) {
      case "final": {
        const { text, words, language: heard = null } = event.heard;
        const startMs = words[0]?.startMs ?? Math.round(msOf(event.from));
        const endMs = words.at(-1)?.endMs ?? Math.round(msOf(event.to));
        const segment = { text, startMs, endMs, words, language: heard };
        segments.push(segment);
        return onSegment?.(segment);
      }
      case "taken":
        underwayBytes -= event.bytes;
        takenBytes += event.bytes;
        return wake();
      case "ended":
        return finish();
      case "failed":
        return finish(errorOf(event.failure));
      default:
    }
  };

  const room = async (): Promise<void> => {
    while (!isOver && underwayBytes >= UNDERWAY_BYTES_MAX) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };

  signal?.throwIfAborted();
  const stop = (): void => finish(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });
  const stream: RecognitionStream = recognition.open(
    { language, format: "file", endpointingMs, startAt: 0, isPatient: true },
    receive,
  );
  try {
    for await (const bytes of sound) {
      for (const piece of piecesOf(bytes)) {
        await room();
        if (isOver) break;
        underwayBytes += piece.length;
        stream.push(piece);
      }
      if (isOver) break;
    }
    stream.end();
    await end.promise;
    return { segments, durationMs: Math.round(processedMs) };
  } finally {
    stream.drop();
    signal?.removeEventListener("abort", stop);
  }
}

function* piecesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES_MAX) {
    yield bytes.subarray(at, at + PIECE_BYTES_MAX);
  }
}

function errorOf(failure: StreamFailure): Error {
  const { kind, message } = failure;
  if (kind === "audio") return new UnsupportedAudio(message);
  if (kind === "engine") return new Error(`the recogniser failed: ${message}`);
  return new ServiceFailed(message, failure.isPassing, failure.retryAfterMs);
}
