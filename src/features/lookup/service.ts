import type { Caller } from "../../http/caller.ts";
import { Problem } from "../../http/problem.ts";
import { type Quota, shareQuota } from "../../http/quota.ts";
import { type Log, errorFields } from "../../platform/log.ts";
import { type Measure, byLabel, counter } from "../../platform/metrics.ts";
import type { Cache, Claim } from "./cache.ts";
import { decodeKept, encodeKept, keyOf } from "./entries.ts";
import type { Gate } from "./gate.ts";
import { type Answer, type Kept, type Source, SourceFailed } from "./model.ts";
import type { Pauses } from "./pauses.ts";
import { addressOf } from "./question.ts";
import type { Upstream } from "./upstream.ts";

export interface LookupService {
  /**
   * What a source says to a question, from the cache where it can. `asked` is the caller's query.
   * Rejects with `not_found` for an unknown source, `invalid`, `upstream_failed`, `queue_full`, or
   * `rate_limited` when the source would have to be asked and this caller has had that too often.
   */
  look(name: string, asked: URLSearchParams, caller: Caller): Promise<Answer>;
  measure: Measure;
  /** Ends the calls that are under way. */
  close(): void;
}

export interface LookupServiceDependencies {
  sources: ReadonlyMap<string, Source>;
  cache: Cache;
  upstream: Upstream;
  gate: Gate;
  pauses: Pauses;
  /** How often one user may have a source asked. */
  misses: Quota;
  /** How long a call may wait at the gate. */
  gateMs: number;
  now(): number;
  log: Log;
}

/** One question to one source. */
interface Question {
  source: Source;
  url: URL;
  key: string;
  /** Who pays when the source has to be asked. */
  caller: Caller;
}

/** A question that is being answered. */
interface Flight {
  caller: Caller;
  answer: Promise<Answer>;
}

/** How often it is looked whether another process has the answer by now. */
const LOOK_EVERY_MS = 50;
/** What a claim outlives its call by, for the cache's own way. */
const CLAIM_SPARE_MS = 2_000;
const RETRY_MS = 1_000;
const COUNTED_AS = { HIT: "hit", MISS: "miss", STALE: "stale" } as const;

export function createLookupService(dependencies: LookupServiceDependencies): LookupService {
  const { sources, cache, upstream, gate, pauses, misses, gateMs, now, log } = dependencies;
  /** Whoever asks the same meanwhile gets the same answer. */
  const flights = new Map<string, Flight>();
  const leaving = new AbortController();
  const counts = { hit: 0, miss: 0, stale: 0, failed: 0, refused: 0 };

  const countedLook: LookupService["look"] = async (name, asked, caller) => {
    try {
      const found = await look(name, asked, caller);
      counts[COUNTED_AS[found.cache]]++;
      return found;
    } catch (error) {
      if (error instanceof Problem) {
        counts[error.code === "upstream_failed" ? "failed" : "refused"]++;
      }
      throw error;
    }
  };

  const look = async (name: string, asked: URLSearchParams, caller: Caller): Promise<Answer> => {
    const source = sources.get(name);
    if (source === undefined) throw new Problem("not_found", "There is no source of that name");
    const url = addressOf(source, asked);
    const key = keyOf(source, url);
    for (;;) {
      const running = flights.get(key);
      if (running === undefined) return fly({ source, url, key, caller });
      try {
        return await running.answer;
      } catch (error) {
        // What one may not ask for any more, another may.
        if (!isLimit(error) || shareQuota(running.caller, caller)) throw error;
      }
    }
  };

  const fly = (question: Question): Promise<Answer> => {
    const { key, caller } = question;
    const landed = answer(question).finally(() => flights.delete(key));
    flights.set(key, { caller, answer: landed });
    return landed;
  };

  const answer = async (question: Question): Promise<Answer> => {
    const { source, key } = question;
    const claimMs = gateMs + source.timeoutMs + CLAIM_SPARE_MS;
    const endAt = now() + claimMs;
    for (;;) {
      const { kept, failure } = await read(question);
      if (kept !== null && isFresh(source, kept)) return answered("HIT", kept);
      if (failure !== null) return standIn(question, kept, failure);
      if (pauses.leftMs(source) > 0) return standIn(question, kept, "is left alone for a while");
      const claim = await cache.claim(`${key}:claim`, claimMs);
      if (claim !== null) return underClaim(question, claim);
      if (now() >= endAt) return standIn(question, kept, "took too long");
      await Bun.sleep(LOOK_EVERY_MS);
    }
  };

  const underClaim = async (question: Question, claim: Claim): Promise<Answer> => {
    try {
      // Between the look and the claim another process may have been told.
      const { kept, failure } = await read(question);
      if (kept !== null && isFresh(question.source, kept)) return answered("HIT", kept);
      if (failure !== null) return standIn(question, kept, failure);
      return await ask(question, kept);
    } finally {
      await claim.release();
    }
  };

  const ask = async (question: Question, older: Kept | null): Promise<Answer> => {
    const { source, url, key, caller } = question;
    try {
      const leave = await enter(source, caller);
      try {
        const said = await upstream.ask(source, url, leaving.signal);
        const kept = { ...said, at: now() };
        pauses.answered(source);
        await cache.put(key, encodeKept(kept), keptMs(source, kept));
        return answered("MISS", kept);
      } finally {
        leave();
      }
    } catch (error) {
      if (leaving.signal.aborted) {
        throw new Problem("draining", "The server is stopping", { retryAfterMs: RETRY_MS });
      }
      if (!(error instanceof SourceFailed)) {
        const stale = error instanceof Problem ? staleOf(source, older) : null;
        if (stale !== null) return stale;
        throw error;
      }
      pauses.failed(source, error);
      const cause = error.cause === undefined ? {} : errorFields(error.cause);
      log.warn({ source: source.name, reason: error.message, ...cause }, "a public source failed");
      await cache.put(`${key}:failed`, new TextEncoder().encode(error.message), source.failedMs);
      return standIn(question, older, error.message);
    }
  };

  /** Takes one call from what the caller may have, and waits at the gate. */
  const enter = async (source: Source, caller: Caller): Promise<() => void> => {
    const retryAfterMs = await misses.take(caller);
    if (retryAfterMs > 0) {
      throw new Problem("rate_limited", "You have asked for too much that is not known here yet", {
        retryAfterMs,
      });
    }
    try {
      return await gate.enter(source);
    } catch (error) {
      await misses.giveBack(caller);
      throw error;
    }
  };

  const read = async ({
    key,
  }: Question): Promise<{ kept: Kept | null; failure: string | null }> => {
    const [bytes = null, failed = null] = await cache.get([key, `${key}:failed`]);
    return {
      kept: bytes === null ? null : decodeKept(bytes),
      failure: failed === null ? null : new TextDecoder().decode(failed),
    };
  };

  const answered = (cache: Answer["cache"], kept: Kept): Answer => ({
    cache,
    // Another process's clock may be ahead.
    ageMs: Math.max(0, now() - kept.at),
    kept,
  });

  /** What there is when the source gives no answer. Throws when there is nothing. */
  const standIn = ({ source }: Question, kept: Kept | null, reason: string): Answer => {
    const stale = staleOf(source, kept);
    if (stale !== null) return stale;
    throw new Problem("upstream_failed", `${source.name} ${reason}`, {
      retryAfterMs: Math.max(RETRY_MS, source.failedMs, pauses.leftMs(source)),
    });
  };

  const staleOf = (source: Source, kept: Kept | null): Answer | null =>
    kept !== null && now() - kept.at < keptMs(source, kept) ? answered("STALE", kept) : null;

  const isFresh = (source: Source, { kind, at }: Kept): boolean =>
    now() - at < (kind === "found" ? source.ttlMs : source.missingMs);

  return {
    look: countedLook,
    measure: () => [
      counter(
        "earshot_lookups_total",
        "Questions to public sources: answered from the cache, by the source, with what is too old, or not.",
        byLabel("outcome", Object.entries(counts)),
      ),
    ],
    close: () => leaving.abort(),
  };
}

/** How long an answer is kept. That there is none never stands in for anything. */
function keptMs({ ttlMs, staleMs, missingMs }: Source, { kind }: Kept): number {
  return kind === "found" ? ttlMs + staleMs : missingMs;
}

function isLimit(error: unknown): boolean {
  return error instanceof Problem && error.code === "rate_limited";
}
