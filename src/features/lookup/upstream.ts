import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { serverOf } from "../../platform/traced-fetch.ts";
import { NO_TRACES, type Span, type Traces } from "../../platform/traces.ts";
import { type ConnectionRequest, get } from "./connection.ts";
import { type Said, type Source, SourceFailed } from "./model.ts";
import { isAllowedGoal } from "./question.ts";
import { type Resolve, checkedAddresses } from "./resolving.ts";

export interface UpstreamDependencies {
  resolve: Resolve;
  /** Certificates to believe instead of the system's. */
  ca?: string;
  traces?: Traces;
}

export interface Upstream {
  /** Asks a source once. Rejects with `SourceFailed`; anything else is a fault of this server. */
  ask(source: Source, url: URL, signal: AbortSignal): Promise<Said>;
}

const REDIRECTS_MAX = 2;
/** Addresses of one host that are tried when the first cannot be reached. */
const ADDRESSES_MAX = 3;
const REDIRECTS = [301, 302, 303, 307, 308];
/** What a type may look like to be passed on: printable, and no longer than it need be. */
const TYPE_CHARACTERS_MAX = 200;

const unpack = promisify(gunzip);

export function createUpstream(dependencies: UpstreamDependencies): Upstream {
  const { resolve, ca, traces = NO_TRACES } = dependencies;

  const connect = async (source: Source, url: URL, signal: AbortSignal) => {
    const addresses = await orAborted(checkedAddresses(source, url.hostname, resolve), signal);
    let failure: unknown;
    for (const address of addresses.slice(0, ADDRESSES_MAX)) {
      const wanted: ConnectionRequest = { url, address, headers: source.headers, signal, ca };
      try {
        return await get(wanted);
      } catch (error) {
        if (signal.aborted) throw error;
        failure = error;
      }
    }
    throw failure;
  };

  /** Follows redirects as long as they lead to what may be asked of the source anyway. */
  const open = async (source: Source, first: URL, signal: AbortSignal) => {
    let url = first;
    for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
      const response = await connect(source, url, signal);
      const { statusCode = 0, headers } = response;
      if (!REDIRECTS.includes(statusCode) || headers.location === undefined) return response;
      response.destroy();
      const goal = URL.parse(headers.location, url.href);
      if (goal === null || !isAllowedGoal(source, goal)) {
        throw new SourceFailed("leads to somewhere else", false);
      }
      goal.hash = "";
      url = goal;
    }
    throw new SourceFailed("leads in circles", false);
  };

  const ask = async (source: Source, url: URL, leaving: AbortSignal, span: Span) => {
    const deadline = AbortSignal.timeout(source.timeoutMs);
    const signal = AbortSignal.any([deadline, leaving]);
    try {
      const response = await open(source, url, signal);
      const { statusCode = 0 } = response;
      span.set({ "http.response.status_code": statusCode });
      if (statusCode >= 400) span.fail(String(statusCode));
      try {
        return await read(source, response);
      } finally {
        response.destroy();
      }
    } catch (error) {
      if (error instanceof SourceFailed) throw error;
      if (deadline.aborted) throw new SourceFailed("took too long", true);
      throw new SourceFailed("could not be reached", true, null, error);
    }
  };

  return {
    ask: (source, url, leaving) => {
      // What is asked for stands in the address, and is nobody else's business.
      const attributes = {
        "http.request.method": "GET",
        ...serverOf(url),
        "earshot.lookup.source": source.name,
      };
      return traces.span({ name: "GET", kind: "client", attributes }, (span) =>
        ask(source, url, leaving, span),
      );
    },
  };
}

async function read(source: Source, response: IncomingMessage): Promise<Said> {
  const { statusCode = 0, headers } = response;
  if (statusCode === 404 || statusCode === 410) return { kind: "missing" };
  if (statusCode !== 200) {
    const isDown = statusCode === 429 || statusCode >= 500;
    const retryAfterMs = isDown ? waitOf(headers["retry-after"]) : null;
    throw new SourceFailed(`answered ${statusCode}`, isDown, retryAfterMs);
  }
  const type = headers["content-type"] ?? "";
  if (!isAllowedType(source, type)) {
    throw new SourceFailed("answered something that is not passed on", false);
  }
  const packed = await readBody(response, source.bytesMax);
  const body = await unpacked(packed, headers["content-encoding"], source.bytesMax);
  if (!isSound(type, body)) throw new SourceFailed("answered something that is broken", false);
  return { kind: "found", type, body };
}

async function readBody(response: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  if (Number(response.headers["content-length"] ?? 0) > bytesMax) throw tooMuch();
  for await (const piece of response) {
    if (!Buffer.isBuffer(piece)) continue;
    bytes += piece.length;
    if (bytes > bytesMax) throw tooMuch();
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

async function unpacked(
  packed: Buffer,
  encoding: string | undefined,
  bytesMax: number,
): Promise<Uint8Array<ArrayBuffer>> {
  switch (encoding?.trim().toLowerCase()) {
    case undefined:
    case "":
    case "identity":
      return new Uint8Array(packed);
    case "gzip":
    case "x-gzip":
      try {
        return new Uint8Array(await unpack(packed, { maxOutputLength: bytesMax }));
      } catch (error) {
        const isTooMuch =
          error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
        throw isTooMuch ? tooMuch() : new SourceFailed("answered something that is broken", false);
      }
    default:
      throw new SourceFailed("packed its answer in a way that was not asked for", false);
  }
}

function isAllowedType({ types }: Source, type: string): boolean {
  const media = (type.split(";")[0] ?? "").trim().toLowerCase();
  if (type.length > TYPE_CHARACTERS_MAX || !/^[ -~]*$/.test(type) || !types.includes(media)) {
    return false;
  }
  // In other encodings the same bytes could read as something else.
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(type)?.[1];
  return charset === undefined || /^(?:utf-?8|us-ascii)$/i.test(charset);
}

/** Whether a body is what it says: a page of a hotel's network must not be kept as a word's meaning. */
function isSound(type: string, body: Uint8Array): boolean {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    if (/^[^;]*json/i.test(type)) JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** What `Retry-After` says, in milliseconds (RFC 9110, section 10.2.3); only seconds are understood. */
function waitOf(header: string | undefined): number | null {
  return header !== undefined && /^\d{1,9}$/.test(header) ? Number(header) * 1000 : null;
}

function tooMuch(): SourceFailed {
  return new SourceFailed("answered more than it may", false);
}

/** Name servers cannot be told to stop; whoever waits for them can. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const give = (): void => reject(new Error("the call was ended"));
    signal.addEventListener("abort", give, { once: true });
    if (signal.aborted) give();
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", give));
  });
}
