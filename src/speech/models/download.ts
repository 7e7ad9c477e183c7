import { type Origin, type Part, openPart } from "./part.ts";
import { ModelFailure } from "./refusal.ts";
import { ConnectionLost, connectionError, get, shown } from "./request.ts";

export interface DownloadDependencies {
  address: string;
  /** Path of the half-finished file; what is there already is used if it is of the same origin. */
  part: string;
  /** Whether a checksum will tell a file that was put together from two versions. */
  isChecked: boolean;
  /** The first pause before a retry; each one doubles it. */
  retryMs: number;
  /** A connection that gives nothing for so long is given up. */
  idleMs: number;
  signal: AbortSignal;
  onProgress(doneBytes: number, totalBytes: number | null): void;
  onRetry(reason: string): void;
}

export interface Downloaded {
  bytes: number;
  sha256: string;
}

/** Failures one after the other, with next to nothing between them, after which it gives up. */
const FAILURES_MAX = 8;
/** What has to come for a connection not to count as failed: a server may cut each one. */
const PROGRESS_BYTES = 1024 * 1024;
const PAUSE_MS_MAX = 15_000;
/** More than any model has; past it the download is given up. */
const DOWNLOAD_BYTES_MAX = 8 * 1024 ** 3;
const PASSING_STATUSES = [408, 425, 429];

/** As much of a body's reader as is used; its own type differs between browsers and Bun. */
interface Reader {
  read(): Promise<{ value?: Uint8Array | undefined }>;
  cancel(): Promise<unknown>;
}

/**
 * Downloads a file, going on where an earlier call or process stopped (RFC 9110, ranges with
 * `If-Range`), and says its SHA-256. A file that changed meanwhile and a server without ranges start
 * anew. Throws `ModelFailure`, what `signal` says when aborted, and errors of the disk; the
 * half-finished file stays.
 */
export async function download(dependencies: DownloadDependencies): Promise<Downloaded> {
  const { signal, retryMs, onRetry } = dependencies;
  const part = await openPart(dependencies.part, signal);
  try {
    let failures = 0;
    let countedFrom = part.bytes();
    for (;;) {
      signal.throwIfAborted();
      try {
        await attempt(dependencies, part);
        return { bytes: part.bytes(), sha256: part.sha256() };
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof ConnectionLost)) throw error;
        if (part.bytes() - countedFrom >= PROGRESS_BYTES) failures = 0;
        countedFrom = part.bytes();
        failures++;
        if (failures > FAILURES_MAX) {
          throw new ModelFailure(
            `the download from ${new URL(dependencies.address).host} failed ${failures} times: ` +
              `${error.message}; what has come is kept, and the next pull goes on from there`,
          );
        }
        onRetry(error.message);
        await pause(Math.min(retryMs * 2 ** (failures - 1), PAUSE_MS_MAX), signal);
      }
    }
  } finally {
    await part.close();
  }
}

/** One request. Throws `ConnectionLost` when it has to be followed by another. */
async function attempt(dependencies: DownloadDependencies, part: Part): Promise<void> {
  const { address, signal, idleMs } = dependencies;
  const url = shown(new URL(address));
  const idle = new AbortController();
  const giveUp = (): void => idle.abort(new Error(`nothing came for ${idleMs / 1000} s`));
  const timer = setTimeout(giveUp, idleMs);
  try {
    const either = AbortSignal.any([signal, idle.signal]);
    const response = await get(address, rangeHeaders(dependencies, part), either);
    const start = await startOf(response, part, url);
    if (start === "complete") return;
    if (start === "anew") {
      await part.restart({
        address: url,
        ...versionOf(response),
        totalBytes: lengthOf(response.headers.get("content-length")),
      });
    }
    await readBody(response, dependencies, part, () => timer.refresh());
  } catch (error) {
    throw idle.signal.aborted && !signal.aborted ? connectionError(idle.signal.reason) : error;
  } finally {
    clearTimeout(timer);
  }
}

/** Asks for the rest where it is sure, or will be found out, that the rest fits. */
function rangeHeaders({ address, isChecked }: DownloadDependencies, part: Part) {
  const origin = part.origin();
  const headers: Record<string, string> = {};
  if (part.bytes() === 0 || origin?.address !== shown(new URL(address))) return headers;
  const version = origin.etag ?? origin.lastModified;
  if (version === null && !isChecked) return headers;
  headers["range"] = `bytes=${part.bytes()}-`;
  if (version !== null) headers["if-range"] = version;
  return headers;
}

/** What the answer is: the file from its start, its rest, or nothing since all is there. */
async function startOf(
  response: Response,
  part: Part,
  url: string,
): Promise<"anew" | "rest" | "complete"> {
  const { status } = response;
  if (status === 200) return "anew";
  const range = rangeOf(response.headers.get("content-range"));
  const origin = part.origin();
  const isSame = origin !== null && isSameVersion(versionOf(response), origin);
  if (status === 206) {
    const isTotalSame =
      origin?.totalBytes == null ||
      range.totalBytes === null ||
      origin.totalBytes === range.totalBytes;
    if (isSame && isTotalSame && range.from === part.bytes()) return "rest";
  }
  await response.body?.cancel();
  if (status === 416 && isSame && range.totalBytes === part.bytes()) return "complete";
  if (status === 206 || status === 416) {
    if (origin !== null) await part.restart(origin);
    throw new ConnectionLost("the file has changed since the download began");
  }
  if (status >= 500 || PASSING_STATUSES.includes(status)) {
    throw new ConnectionLost(`the server answered ${status}`);
  }
  throw new ModelFailure(`the server answered ${status} for ${url}`);
}

async function readBody(
  response: Response,
  { onProgress }: DownloadDependencies,
  part: Part,
  onPiece: () => void,
): Promise<void> {
  const totalBytes = part.origin()?.totalBytes ?? null;
  if (totalBytes !== null && totalBytes > DOWNLOAD_BYTES_MAX) throw tooLarge();
  onProgress(part.bytes(), totalBytes);
  const reader: Reader | undefined = response.body?.getReader();
  try {
    for (;;) {
      const piece = await nextPiece(reader);
      if (piece === null) break;
      onPiece();
      await part.append(piece);
      if (part.bytes() > DOWNLOAD_BYTES_MAX) throw tooLarge();
      onProgress(part.bytes(), totalBytes);
    }
  } finally {
    // Of a connection that is lost already nothing is to be heard.
    await reader?.cancel().catch(() => undefined);
  }
  if (totalBytes === null || part.bytes() === totalBytes) return;
  if (part.bytes() > totalBytes) await part.restart({ ...nowhere(), totalBytes: null });
  throw new ConnectionLost("the connection was cut");
}

async function nextPiece(reader: Reader | undefined): Promise<Uint8Array | null> {
  try {
    const read = await reader?.read();
    return read?.value ?? null;
  } catch (error) {
    throw connectionError(error);
  }
}

/** A weak tag says that two files mean the same, not that their bytes are the same. */
function versionOf({ headers }: Response): Pick<Origin, "etag" | "lastModified"> {
  const etag = headers.get("etag");
  const isStrong = etag?.startsWith('"') === true;
  return { etag: isStrong ? etag : null, lastModified: headers.get("last-modified") };
}

/** Servers that do not know `If-Range` send the rest of whatever is there now. */
function isSameVersion(now: Pick<Origin, "etag" | "lastModified">, origin: Origin): boolean {
  if (now.etag !== null && origin.etag !== null) return now.etag === origin.etag;
  if (now.lastModified === null || origin.lastModified === null) return true;
  return now.lastModified === origin.lastModified;
}

function rangeOf(header: string | null): { from: number | null; totalBytes: number | null } {
  const [, from, total] = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(header ?? "") ?? [];
  return { from: lengthOf(from ?? null), totalBytes: lengthOf(total ?? null) };
}

function lengthOf(digits: string | null): number | null {
  return digits !== null && /^\d{1,15}$/.test(digits) ? Number(digits) : null;
}

/** The origin of bytes that nobody can go on from. */
function nowhere(): Origin {
  return { address: "", etag: null, lastModified: null, totalBytes: null };
}

function tooLarge(): ModelFailure {
  return new ModelFailure("the server sends more than any model has");
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
