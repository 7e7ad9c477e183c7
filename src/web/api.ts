import { below } from "./base.ts";
import type { Credentials, Person, Session } from "./session.ts";

/** What the server refused, with the code that the contract gives it. */
export class ApiError extends Error {
  override name = "ApiError";
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** All that the problem says, by the names of its members. */
    readonly members: Readonly<Record<string, unknown>> = {},
    /** When to come again, if the server says so. */
    readonly retryAfterMs: number | null = null,
  ) {
    super(message);
  }
}

/** Members of a problem (RFC 9457) that are shown. */
interface Problem {
  code?: string;
  detail?: string;
  title?: string;
}

export type Query = Readonly<Record<string, string | number | undefined | null>>;

export interface Api {
  /** Answers parsed JSON. Throws `ApiError`, or `TypeError` when the server is out of reach. */
  get<Answer>(path: string, query?: Query, signal?: AbortSignal): Promise<Answer>;
  send<Answer>(method: string, path: string, body?: object): Promise<Answer>;
  /** The answer itself, for streams and files. Throws as the others. */
  fetch(path: string, init?: RequestInit, query?: Query): Promise<Response>;
}

const UNAUTHORIZED = 401;
const RATE_LIMITED = 429;
/** A page waits so long for what holds everything else up. */
const POST_MS_MAX = 30_000;

/** The server's API as whoever uses the app; a token that has expired is renewed on the way. */
export function createApi(session: () => Session): Api {
  const attempt = async (
    { token, stated }: Credentials,
    path: string,
    init: RequestInit,
    query: Query,
  ): Promise<Response> => {
    const headers = new Headers(init.headers);
    if (token !== null) headers.set("authorization", `Bearer ${token}`);
    const identity = stated === null ? {} : { user_id: stated.userId, name: stated.name };
    return fetch(addressOf(below(path), { ...query, ...identity }), { ...init, headers });
  };

  const request = async (path: string, init: RequestInit = {}, query: Query = {}) => {
    const credentials = await session().credentials();
    let answer = await attempt(credentials, path, init, query);
    if (answer.status === UNAUTHORIZED && (await session().renew(credentials.token))) {
      answer = await attempt(await session().credentials(), path, init, query);
    }
    if (!answer.ok) throw await errorOf(answer);
    return answer;
  };

  return {
    get: async <Answer>(path: string, query?: Query, signal?: AbortSignal) =>
      (await request(path, { ...(signal && { signal }) }, query)).json() as Promise<Answer>,
    send: async <Answer>(method: string, path: string, body?: object) =>
      jsonOf(await request(path, { method, ...jsonBody(body) })) as Promise<Answer>,
    fetch: request,
  };
}

/** Sends JSON without saying who one is. Throws as `Api`. */
export async function post(path: string, body: object): Promise<unknown> {
  const signal = AbortSignal.timeout(POST_MS_MAX);
  const answer = await fetch(below(path), { method: "POST", signal, ...jsonBody(body) });
  if (!answer.ok) throw await errorOf(answer);
  return jsonOf(answer);
}

/** Asks who a token is for. Throws as `Api`. */
export async function whoIs(token: string): Promise<Person> {
  const headers = { authorization: `Bearer ${token}` };
  const signal = AbortSignal.timeout(POST_MS_MAX);
  const answer = await fetch(below("/v1/auth/me"), { headers, signal });
  if (!answer.ok) throw await errorOf(answer);
  return (await answer.json()) as Person;
}

/** Says in words what went wrong. */
export function reasonOf(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  if (error instanceof TypeError) return "The server cannot be reached";
  if (error instanceof SyntaxError) return "Something else than the server has answered";
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return "The server takes too long to answer";
  }
  return error instanceof Error ? error.message : String(error);
}

function jsonBody(body: object | undefined): RequestInit {
  if (body === undefined) return {};
  return { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
}

async function jsonOf(answer: Response): Promise<unknown> {
  const text = await answer.text();
  return text === "" ? undefined : JSON.parse(text);
}

async function errorOf(answer: Response): Promise<ApiError> {
  const said: unknown = await answer.json().catch(() => null);
  // A proxy in between may say anything.
  const problem = (typeof said === "object" && said !== null ? said : {}) as Problem;
  const { code, detail, title } = problem;
  const words = [detail, title].find((text) => typeof text === "string" && text !== "");
  const message = words ?? `The server answered ${answer.status}`;
  const waitS = Number(answer.headers.get("retry-after"));
  const told = answer.status === RATE_LIMITED && waitS > 0 ? withWait(message, waitS) : message;
  const retryAfterMs = waitS > 0 ? 1_000 * waitS : null;
  const shownCode = typeof code === "string" ? code : "internal";
  return new ApiError(answer.status, shownCode, told, { ...problem }, retryAfterMs);
}

/** Says when to try again in the place of "later". */
function withWait(message: string, seconds: number): string {
  const [what] = message.split("; try again");
  const minutes = Math.ceil(seconds / 60);
  const inSeconds = seconds === 1 ? "a second" : `${seconds} seconds`;
  return `${what}; try again in ${seconds < 90 ? inSeconds : `${minutes} minutes`}`;
}

function addressOf(path: string, query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  if (given.length === 0) return path;
  return `${path}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}
