import { type ReadonlySignal, signal } from "@preact/signals";
import { type Api, ApiError, reasonOf } from "../api.ts";
import { type BadLine, type Columns, createPostReader, isBad } from "./columns.ts";
import { readPostsFile } from "./posts-file.ts";

/** How far the sending of a file is. */
export interface Sending {
  name: string;
  bytes: number;
  bytesRead: number;
  /** Posts that were new to the server. */
  accepted: number;
  /** Posts that it had already. */
  known: number;
  refused: number;
  /** The first of them, in words. */
  refusals: BadLine[];
  state: "going" | "done" | "stopped" | "failed";
  /** Why it pauses or failed. */
  reason: string | null;
}

export interface Sender {
  sending: ReadonlySignal<Sending | null>;
  /** Sends a file from its beginning. What the server has of it already is not counted twice. */
  start(file: File, columns: Columns): Promise<void>;
  stop(): void;
  /** Forgets the last file. */
  clear(): void;
}

/** Posts are sent in pieces of about this size. */
const PIECE_CHARACTERS = 1_000_000;
/** More refused lines than this are only counted. */
const REFUSALS_TOLD_MAX = 20;
const PAUSE_MS_MIN = 1_000;
const PAUSE_MS_MAX = 30_000;
const PAUSING: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const REFUSED_IN_WORDS: Readonly<Record<string, string>> = {
  invalid: "the server does not take it as a post",
  too_large: "it is too long",
};

/** What became of the posts of a piece; a refusal tells it of those before it. */
interface BulkCounts {
  accepted: number;
  duplicates: number;
  rejected: { line: number; code: string }[];
  rejected_count: number;
}

interface Piece {
  lines: number[];
  posts: string[];
  characters: number;
}

const emptyPiece = (): Piece => ({ lines: [], posts: [], characters: 0 });

/** Sends files of posts, one at a time and piece by piece, as fast as the server takes them. */
export function createSender(api: Api): Sender {
  const sending = signal<Sending | null>(null);
  let current = new AbortController();

  const start = async (file: File, columns: Columns): Promise<void> => {
    current.abort();
    const own = (current = new AbortController());
    const note = (change: Partial<Sending>): void => {
      if (own === current && sending.value !== null)
        sending.value = { ...sending.value, ...change };
    };
    const refuse = (refusals: readonly BadLine[], count = refusals.length): void => {
      const { refused = 0, refusals: told = [] } = sending.value ?? {};
      note({
        refused: refused + count,
        refusals: [...told, ...refusals].slice(0, REFUSALS_TOLD_MAX),
      });
    };
    sending.value = {
      name: file.name,
      bytes: file.size,
      bytesRead: 0,
      accepted: 0,
      known: 0,
      refused: 0,
      refusals: [],
      state: "going",
      reason: null,
    };

    const send = async (piece: Piece): Promise<void> => {
      const before = sending.value;
      const counts = await sendPiece(api, piece, own.signal, (reason) => note({ reason }));
      note({
        accepted: (before?.accepted ?? 0) + counts.accepted,
        known: (before?.known ?? 0) + counts.duplicates,
        reason: null,
      });
      const refusals = counts.rejected.map(({ line, code }) => ({
        line: piece.lines[line - 1] ?? 0,
        reason: REFUSED_IN_WORDS[code] ?? code,
      }));
      refuse(refusals, counts.rejected_count);
    };

    try {
      const read = createPostReader(columns);
      let piece = emptyPiece();
      let bytesRead = 0;
      for await (const record of readPostsFile(file, (bytes) => (bytesRead = bytes))) {
        const post = isBad(record) ? record : read(record.fields, record.line);
        if (isBad(post)) {
          refuse([post]);
          continue;
        }
        const text = JSON.stringify(post);
        piece.lines.push(record.line);
        piece.posts.push(text);
        piece.characters += text.length;
        if (piece.characters < PIECE_CHARACTERS) continue;
        await send(piece);
        note({ bytesRead });
        piece = emptyPiece();
      }
      if (piece.posts.length > 0) await send(piece);
      note({ bytesRead: file.size, state: "done" });
    } catch (error) {
      if (own.signal.aborted) note({ state: "stopped", reason: null });
      else note({ state: "failed", reason: reasonOf(error) });
    }
  };

  return {
    sending,
    start,
    stop: () => {
      current.abort();
    },
    clear: () => {
      sending.value = null;
    },
  };
}

/**
 * Sends a piece until all of it is taken; every post has an id, so it may be sent again whole. Throws
 * what the server answers to it, except that it should wait.
 */
async function sendPiece(
  api: Api,
  { posts }: Piece,
  signal: AbortSignal,
  onPause: (reason: string) => void,
): Promise<BulkCounts> {
  const body = posts.map((post) => `${post}\n`).join("");
  /** What earlier attempts at this piece have added; the server calls it known from then on. */
  let added = 0;
  for (let pauseMs = PAUSE_MS_MIN; ; pauseMs = Math.min(PAUSE_MS_MAX, 2 * pauseMs)) {
    try {
      const answer = await api.fetch("/v1/posts/bulk", {
        method: "POST",
        headers: { "content-type": "application/x-ndjson" },
        body,
        signal,
      });
      const counts = (await answer.json()) as BulkCounts;
      const duplicates = Math.max(0, counts.duplicates - added);
      return { ...counts, accepted: counts.accepted + added, duplicates };
    } catch (error) {
      if (!isPassing(error)) throw error;
      const { members = {}, retryAfterMs = null } = error instanceof ApiError ? error : {};
      added += Number(members["accepted"] ?? 0);
      const waitMs = retryAfterMs ?? pauseMs;
      onPause(`${reasonOf(error)}. Going on in ${Math.ceil(waitMs / 1_000)} s.`);
      await pause(waitMs, signal);
    }
  }
}

/** Whether waiting helps: the line is down, or the server has said so. */
function isPassing(error: unknown): boolean {
  return error instanceof ApiError ? PAUSING.has(error.status) : error instanceof TypeError;
}

/** Throws when it is not waited for any longer. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const stop = (): void => {
    clearTimeout(timer);
    reject(signal.reason as Error);
  };
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  return promise.finally(() => signal.removeEventListener("abort", stop));
}
