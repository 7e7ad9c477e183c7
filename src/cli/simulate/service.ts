/** The service does not answer, or not as it should. The message is for a person. */
export class ServiceFailure extends Error {
  override name = "ServiceFailure";
}

export interface ServiceDependencies {
  /** Where it listens; a path before the routes is kept. */
  url: string;
  /** An API key, or the access token of an account, which where signing in is required sees more. */
  key: string | null;
  /** So long nothing may succeed before it is given up. */
  patienceMs: number;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** In [0, 1): spreads retries, so that not all come at once. */
  random(): number;
  /** Is told the reason when answers begin to fail. */
  onTrouble(reason: string): void;
}

export interface ServiceRequest {
  method: "GET" | "POST";
  /** From the first slash on. */
  path: string;
  body?: { type: string; text: string };
}

export interface ServiceAnswer {
  status: number;
  /** What the body holds as JSON; null when it is none. */
  json: unknown;
  /** Whether an earlier attempt may have reached the service although its answer did not come. */
  isRepeat: boolean;
}

/** Asks the service, again and again where that may help. */
export interface Service {
  /**
   * Answers with a status below 500 that is not 429. Throws `ServiceFailure` when patience is over,
   * or when the key is none, and whatever an earlier call threw: then all is lost.
   */
  ask(request: ServiceRequest): Promise<ServiceAnswer>;
}

const PAUSE_MS = 50;
const PAUSE_MS_MAX = 2_000;
/** A service may ask for more patience than makes sense. */
const RETRY_AFTER_MS_MAX = 10_000;
/** An answer that takes longer will not come. */
const ANSWER_MS_MAX = 60_000;
const DETAIL_CHARACTERS_MAX = 300;

/** As access tokens are written (RFC 7519); no API key has dots. */
const TOKEN = /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/;

const REFUSED = "ECONNREFUSED";
/** What broken connections say of themselves is for programmers. */
const BROKEN_CONNECTIONS: Readonly<Record<string, string>> = {
  [REFUSED]: "nobody listens there",
  ECONNRESET: "the connection was cut",
};

/** What one attempt came to: an answer, or why to try again and after what time at the earliest. */
type Attempt =
  | { answer: { status: number; json: unknown } }
  | { reason: string; afterMs: number; mayHaveArrived: boolean };

/** Opens no connection yet. One patience is shared by all that is asked at the same time. */
export function createService(dependencies: ServiceDependencies): Service {
  const { url, key, patienceMs, now, random, onTrouble } = dependencies;
  const base = url.replace(/\/+$/, "");
  let succeededAt = now();
  let isTroubled = false;
  let failure: ServiceFailure | null = null;

  async function attempt({ method, path, body }: ServiceRequest): Promise<Attempt> {
    let response;
    let text;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error("no answer came")), ANSWER_MS_MAX);
    try {
      response = await fetch(`${base}${path}`, {
        method,
        headers: {
          ...keyHeader(key),
          ...(body === undefined ? {} : { "content-type": body.type }),
        },
        ...(body === undefined ? {} : { body: body.text }),
        // A key is for this service only.
        redirect: "manual",
        signal: late.signal,
      });
      text = await response.text();
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      const said = error instanceof Error ? error.message : String(error);
      return {
        reason: BROKEN_CONNECTIONS[code] ?? said,
        afterMs: 0,
        mayHaveArrived: code !== REFUSED,
      };
    } finally {
      clearTimeout(timer);
    }
    const { status } = response;
    if (status !== 429 && status < 500) return { answer: { status, json: parse(text) } };
    return {
      reason: `it answers ${status}${detailOf(parse(text))}`,
      afterMs: retryAfterMs(response.headers.get("retry-after")),
      // Of many posts some may have been taken before the service had to stop.
      mayHaveArrived: status !== 429,
    };
  }

  function fail(message: string): ServiceFailure {
    failure ??= new ServiceFailure(message);
    return failure;
  }

  return {
    ask: async (request) => {
      let isRepeat = false;
      const askedAt = now();
      for (let tries = 0; ; tries++) {
        if (failure !== null) throw failure;
        const made = await attempt(request);
        if ("answer" in made) {
          const { status, json } = made.answer;
          succeededAt = now();
          isTroubled = false;
          if (status === 401 || status === 403) throw fail(refusal(status, key, json));
          return { status, json, isRepeat };
        }
        isRepeat ||= made.mayHaveArrived;
        if (!isTroubled) onTrouble(made.reason);
        isTroubled = true;
        if (now() - Math.max(succeededAt, askedAt) >= patienceMs) {
          throw fail(`${base} has not answered well for ${patienceMs / 1000} s: ${made.reason}`);
        }
        const backoff = Math.min(PAUSE_MS * 2 ** tries, PAUSE_MS_MAX);
        await Bun.sleep(made.afterMs + backoff * (0.5 + random() / 2));
      }
    },
  };
}

function keyHeader(key: string | null): Record<string, string> {
  if (key === null) return {};
  return TOKEN.test(key) ? { authorization: `Bearer ${key}` } : { "x-api-key": key };
}

/** What a problem says of itself, to be put behind a status; empty when it says nothing. */
export function detailOf(json: unknown): string {
  if (typeof json !== "object" || json === null || !("detail" in json)) return "";
  return typeof json.detail === "string" ? `: ${json.detail.slice(0, DETAIL_CHARACTERS_MAX)}` : "";
}

function refusal(status: number, key: string | null, json: unknown): string {
  const advice =
    key === null
      ? "give a key with --key or EARSHOT_KEY (earshot keys create)"
      : "the key is none of the service's or may not do this; the access token of an admin may do all";
  return `the service answers ${status}${detailOf(json)}; ${advice}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Seconds, or a date. */
function retryAfterMs(header: string | null): number {
  if (header === null) return 0;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Math.min(Math.max(0, ms || 0), RETRY_AFTER_MS_MAX);
}
