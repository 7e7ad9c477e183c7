import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { createMemoryCache } from "../../../src/features/lookup/cache.ts";
import { keyOf } from "../../../src/features/lookup/entries.ts";
import { addressOf } from "../../../src/features/lookup/question.ts";
import { createMemoryAttempts } from "../../../src/http/attempts.ts";
import { type Quota, createQuota } from "../../../src/http/quota.ts";
import { until } from "../../support/app.ts";
import {
  type Scripted,
  saidBy,
  serviceOf,
  somebody,
  sourceOf,
  startScripted,
  wordsEntry,
} from "./scripted.ts";

const OWL = { word: "owl" };

let api: Scripted;
beforeAll(() => {
  api = startScripted();
});
afterEach(() => api.reset());
afterAll(() => api.stop());

describe("an answer", () => {
  test("is fresh for its time, then asked for again", async () => {
    let time = 0;
    const service = serviceOf(wordsEntry(api.url, { ttl_s: 10 }), { now: () => time });
    const look = async (): Promise<[string, number]> => {
      const { cache, ageMs } = await service.look("words", new URLSearchParams(OWL), somebody);
      return [cache, ageMs];
    };
    expect(await look()).toEqual(["MISS", 0]);
    time = 9_999;
    expect(await look()).toEqual(["HIT", 9_999]);
    time = 10_000;
    expect(await look()).toEqual(["MISS", 0]);
    time = 10_001;
    expect(await look()).toEqual(["HIT", 1]);
    expect(api.calls).toHaveLength(2);
  });

  test("that grew old stands in for one that fails, for a while", async () => {
    let time = 0;
    const service = serviceOf(wordsEntry(api.url, { ttl_s: 10, stale_s: 20 }), {
      now: () => time,
    });
    api.answer = () => Response.json("first");
    expect(await saidBy(service, OWL)).toBe('MISS "first"');
    api.answer = () => new Response("no", { status: 500 });
    time = 29_999;
    expect(await saidBy(service, OWL)).toBe('STALE "first"');
    api.answer = () => Response.json("second");
    expect(await saidBy(service, OWL)).toBe('MISS "second"');
    api.answer = () => new Response("no", { status: 500 });
    time += 30_000;
    expect(await saidBy(service, OWL)).toBe("upstream_failed: words answered 500");
  });

  test("that there is none is remembered, for a shorter time", async () => {
    let time = 0;
    const entry = wordsEntry(api.url, { ttl_s: 100, missing_ttl_s: 5 });
    const service = serviceOf(entry, { now: () => time });
    api.answer = () => Response.json({ title: "No Definitions Found" }, { status: 404 });
    expect(await saidBy(service, OWL)).toBe("MISS missing");
    expect(await saidBy(service, OWL)).toBe("HIT missing");
    time = 5_000;
    api.answer = () => new Response("", { status: 500 });
    // It never stands in for an answer.
    expect(await saidBy(service, OWL)).toBe("upstream_failed: words answered 500");
    api.answer = () => new Response("", { status: 410 });
    expect(await saidBy(service, OWL)).toBe("MISS missing");
    expect(api.calls).toHaveLength(3);
  });

  test("is asked for once by many, also when it fails", async () => {
    const held = Promise.withResolvers<void>();
    const service = serviceOf(wordsEntry(api.url));
    api.answer = async () => {
      await held.promise;
      return new Response("", { status: 418 });
    };
    const asked = Array.from({ length: 1_000 }, () => saidBy(service, OWL));
    held.resolve();
    const said = new Set(await Promise.all(asked));
    expect([...said]).toEqual(["upstream_failed: words answered 418"]);
    expect(api.calls).toHaveLength(1);
  });
});

describe("a question that another process is asking", () => {
  const source = (): Parameters<typeof keyOf>[0] => sourceOf(wordsEntry(api.url));
  const keyOfOwl = (): string => keyOf(source(), addressOf(source(), new URLSearchParams(OWL)));

  test("is asked here when that process dies over it", async () => {
    const cache = createMemoryCache({ bytesMax: 10_000, now: Date.now });
    await cache.claim(`${keyOfOwl()}:claim`, 20);
    api.answer = () => Response.json(1);
    expect(await saidBy(serviceOf(wordsEntry(api.url), { cache }), OWL)).toBe("MISS 1");
  });

  test("is answered by what that process learns, be it a failure", async () => {
    const cache = createMemoryCache({ bytesMax: 10_000, now: Date.now });
    await cache.claim(`${keyOfOwl()}:claim`, 600_000);
    const said = saidBy(serviceOf(wordsEntry(api.url), { cache }), OWL);
    await cache.put(`${keyOfOwl()}:failed`, new TextEncoder().encode("answered 500"), 600_000);
    expect(await said).toBe("upstream_failed: words answered 500");
    expect(api.calls).toEqual([]);
  });

  test("is not waited for without end", async () => {
    let time = 0;
    const cache = createMemoryCache({ bytesMax: 10_000, now: () => time });
    const claim = cache.claim;
    const service = serviceOf(wordsEntry(api.url), {
      now: () => time,
      cache: {
        ...cache,
        claim: (_, ageMs) => {
          time += 60_000;
          return claim("taken", ageMs * 1_000);
        },
      },
    });
    await claim("taken", 600_000_000);
    expect(await saidBy(service, OWL)).toContain("took too long");
    expect(api.calls).toEqual([]);
  });
});

describe("a failure", () => {
  test("is remembered for its question", async () => {
    let time = 0;
    const service = serviceOf(wordsEntry(api.url, { failed_ttl_s: 5 }), { now: () => time });
    api.answer = () => new Response("", { status: 403 });
    for (let at = 0; at < 10; at++) {
      expect(await saidBy(service, OWL)).toBe("upstream_failed: words answered 403");
    }
    expect(api.calls).toHaveLength(1);
    api.answer = () => Response.json(1);
    expect(await saidBy(service, { word: "other" })).toBe("MISS 1");
    time = 5_000;
    expect(await saidBy(service, OWL)).toBe("MISS 1");
  });

  test("again and again gives the whole source a pause", async () => {
    let time = 0;
    const service = serviceOf(wordsEntry(api.url), { now: () => time });
    api.answer = () => new Response("", { status: 503 });
    const said = [];
    for (let at = 0; at < 6; at++) said.push(await saidBy(service, { word: `word ${at}` }));
    expect(said.slice(0, 3)).toEqual(Array(3).fill("upstream_failed: words answered 503"));
    expect(said.slice(3)).toEqual(
      Array(3).fill("upstream_failed: words is left alone for a while"),
    );
    expect(api.calls).toHaveLength(3);
    // One failure after the pause begins the next, one answer ends the trouble.
    time = 5_000;
    expect(await saidBy(service, OWL)).toContain("answered 503");
    expect(await saidBy(service, OWL)).toContain("left alone");
    time = 10_000;
    api.answer = () => Response.json(1);
    expect(await saidBy(service, OWL)).toBe("MISS 1");
    api.answer = () => new Response("", { status: 503 });
    expect(await saidBy(service, { word: "another" })).toContain("answered 503");
    expect(await saidBy(service, { word: "yet another" })).toContain("answered 503");
  });

  test("that says how long is obeyed", async () => {
    let time = 0;
    const service = serviceOf(wordsEntry(api.url), { now: () => time });
    api.answer = () => new Response("", { status: 429, headers: { "retry-after": "60" } });
    expect(await saidBy(service, OWL)).toContain("answered 429");
    api.answer = () => Response.json(1);
    time = 59_999;
    const problem: unknown = await service
      .look("words", new URLSearchParams(OWL), somebody)
      .catch((error: unknown) => error);
    expect(problem).toMatchObject({ code: "upstream_failed" });
    time = 60_000;
    expect(await saidBy(service, OWL)).toBe("MISS 1");
  });

  test("is logged without what was asked for", async () => {
    const lines: string[] = [];
    const service = serviceOf(wordsEntry("http://127.0.0.1:1"), { lines });
    expect(await saidBy(service, { word: "confidential" })).toBe(
      "upstream_failed: words could not be reached",
    );
    expect(lines.join("")).toContain("ECONNREFUSED");
    expect(lines.join("")).not.toContain("confidential");
  });

  test("of the cache's content is no failure: it is asked for again", async () => {
    const cache = createMemoryCache({ bytesMax: 10_000, now: Date.now });
    const get = cache.get;
    const spoiled = serviceOf(wordsEntry(api.url), {
      cache: {
        ...cache,
        get: async (keys) =>
          (await get(keys)).map((value) => value?.with(0, "x".charCodeAt(0)) ?? null),
      },
    });
    api.answer = () => Response.json(1);
    expect(await saidBy(spoiled, OWL)).toBe("MISS 1");
    expect(await saidBy(spoiled, OWL)).toBe("MISS 1");
  });
});

describe("what one user may have asked", () => {
  const other = { ...somebody, userId: 2 };
  const guest = (userId: number) => ({ ...somebody, userId, role: "guest" as const });

  /** A quota that never fills again. */
  const quotaOf = (burst: number): Quota =>
    createQuota((_, allowance) => createMemoryAttempts(allowance, () => 0), "misses", {
      user: { burst, everyMs: 5_000 },
      guests: { burst: 2 * burst, everyMs: 5_000 },
    });

  test("is limited, what is in the cache is not, and others have their own", async () => {
    const service = serviceOf(wordsEntry(api.url), { misses: quotaOf(2) });
    api.answer = () => Response.json(1);
    expect(await saidBy(service, { word: "a" })).toBe("MISS 1");
    expect(await saidBy(service, { word: "b" })).toBe("MISS 1");
    const problem: unknown = await service
      .look("words", new URLSearchParams({ word: "c" }), somebody)
      .catch((error: unknown) => error);
    expect(problem).toMatchObject({ code: "rate_limited", extras: { retryAfterMs: 5_000 } });
    for (let times = 0; times < 5; times++) {
      expect(await saidBy(service, { word: "a" })).toBe("HIT 1");
    }
    expect(await saidBy(service, { word: "c" }, other)).toBe("MISS 1");
    expect(await saidBy(service, { word: "c" })).toBe("HIT 1");
    expect(api.calls).toHaveLength(3);
  });

  test("is one for all guests", async () => {
    const service = serviceOf(wordsEntry(api.url), { misses: quotaOf(2) });
    api.answer = () => Response.json(1);
    const said: string[] = [];
    for (let at = 0; at < 5; at++) said.push(await saidBy(service, { word: `${at}` }, guest(at)));
    expect(said.slice(0, 4)).toEqual(Array(4).fill("MISS 1"));
    expect(said[4]).toStartWith("rate_limited: ");
    expect(await saidBy(service, { word: "4" })).toBe("MISS 1");
  });

  test("leaves answers that grew old", async () => {
    let time = 0;
    const entry = wordsEntry(api.url, { ttl_s: 1, stale_s: 10 });
    const service = serviceOf(entry, { misses: quotaOf(1), now: () => time });
    api.answer = () => Response.json("first");
    expect(await saidBy(service, OWL)).toBe('MISS "first"');
    time = 1_000;
    api.answer = () => Response.json("second");
    expect(await saidBy(service, OWL)).toBe('STALE "first"');
    expect(await saidBy(service, OWL, other)).toBe('MISS "second"');
    expect(await saidBy(service, OWL)).toBe('HIT "second"');
    expect(api.calls).toHaveLength(2);
  });

  test("does not stand in the way of others who ask the same at the same time", async () => {
    const service = serviceOf(wordsEntry(api.url), { misses: quotaOf(1) });
    api.answer = () => Response.json(1);
    await saidBy(service, { word: "a" });
    const said = await Promise.all(
      [somebody, somebody, other, other, guest(7)].map((caller) => saidBy(service, OWL, caller)),
    );
    expect(said.slice(2)).toEqual(Array(3).fill("MISS 1"));
    for (const one of said.slice(0, 2)) expect(one).toStartWith("rate_limited: ");
    expect(api.calls).toHaveLength(2);
  });

  test("counts only what was asked", async () => {
    const service = serviceOf(wordsEntry(api.url), {
      misses: quotaOf(1),
      callsMax: 0,
      waitingMax: 0,
    });
    for (let times = 0; times < 3; times++) {
      expect(await saidBy(service, OWL)).toStartWith("queue_full: ");
    }
  });
});

describe("calls at once", () => {
  test("are few for one source; more wait for their turn", async () => {
    let running = 0;
    let most = 0;
    api.answer = async () => {
      most = Math.max(most, ++running);
      await Bun.sleep(2);
      running--;
      return Response.json(1);
    };
    const service = serviceOf(wordsEntry(api.url, { calls_max: 3 }));
    const asked = Array.from({ length: 60 }, (_, at) => saidBy(service, { word: `w${at}` }));
    expect(new Set(await Promise.all(asked))).toEqual(new Set(["MISS 1"]));
    expect(most).toBe(3);
    expect(api.calls).toHaveLength(60);
  });

  test("are few in all, and too many that wait are refused", async () => {
    const held = Promise.withResolvers<void>();
    api.answer = async () => {
      await held.promise;
      return Response.json(1);
    };
    const service = serviceOf(wordsEntry(api.url), { callsMax: 2, waitingMax: 5 });
    const asked = Array.from({ length: 10 }, (_, at) => saidBy(service, { word: `w${at}` }));
    expect(await Promise.race(asked)).toStartWith("queue_full: ");
    held.resolve();
    const said = await Promise.all(asked);
    expect(said.filter((one) => one === "MISS 1")).toHaveLength(7);
    expect(said.filter((one) => one.startsWith("queue_full: "))).toHaveLength(3);
  });

  test("end when the server stops", async () => {
    api.answer = () => new Promise(() => {});
    const service = serviceOf(wordsEntry(api.url));
    const said = saidBy(service, OWL);
    await until(() => api.calls.length > 0);
    service.close();
    expect(await said).toStartWith("draining: ");
  });
});
