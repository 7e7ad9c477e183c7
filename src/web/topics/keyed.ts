import { ApiError } from "../api.ts";
import type { Session } from "../session.ts";

/**
 * Asks a route that is for keys and admins; those do not take a guest's stated identity. Answers
 * whatever the server does. Throws `TypeError` when it is out of reach.
 */
export type KeyedFetch = (path: string, init?: RequestInit) => Promise<Response>;

/** What a refused bulk tells of the posts before the refusal. */
export interface BulkCounts {
  accepted: number;
  duplicates: number;
  rejected: { line: number; code: string }[];
  rejected_count: number;
}

const UNAUTHORIZED = 401;

export function createKeyedFetch(session: Session): KeyedFetch {
  const attempt = (token: string | null, path: string, init: RequestInit): Promise<Response> => {
    const headers = new Headers(init.headers);
    if (token !== null) headers.set("authorization", `Bearer ${token}`);
    return fetch(path, { ...init, headers });
  };
  return async (path, init = {}) => {
    const { token } = await session.credentials();
    const answer = await attempt(token, path, init);
    if (answer.status !== UNAUTHORIZED || token === null) return answer;
    if (!(await session.renew(token))) return answer;
    return attempt((await session.credentials()).token, path, init);
  };
}

/** The problem that a refusal holds. */
export async function problemOf(answer: Response): Promise<ApiError & { counts?: BulkCounts }> {
  const problem = (await answer.json().catch(() => ({}))) as Partial<BulkCounts> & {
    code?: string;
    detail?: string;
  };
  const message = problem.detail ?? `The server answered ${answer.status}`;
  const error = new ApiError(answer.status, problem.code ?? "internal", message);
  return "accepted" in problem ? Object.assign(error, { counts: problem as BulkCounts }) : error;
}
