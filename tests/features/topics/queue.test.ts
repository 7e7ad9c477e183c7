import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CountedPost } from "../../../src/features/topics/count.store.ts";
import type { QueueState } from "../../../src/features/topics/model.ts";
import { createPostStore } from "../../../src/features/topics/post.store.ts";
import { createQueueService } from "../../../src/features/topics/queue.ts";
import { createQueueEvents } from "../../../src/features/topics/queue-events.ts";
import {
  LEASE_MS,
  type QueueStore,
  createQueueStore,
} from "../../../src/features/topics/queue.store.ts";
import { startPostWork } from "../../../src/features/topics/work.ts";
import { type Database, openDatabase } from "../../../src/platform/database.ts";
import { createLog } from "../../../src/platform/log.ts";
import { PoolFull } from "../../../src/platform/pool.ts";
import { type TestApp, postJson, temporaryFolder, until } from "../../support/app.ts";
import { startTestServer } from "../../support/server.ts";
import {
  type Queue,
  answerOf,
  drained,
  endLeases,
  get,
  queueOf,
  rowsIn,
  send,
  sendAll,
  type ToldApp,
  startToldApp,
  talkOf,
} from "../../support/topics.ts";

setDefaultTimeout(30_000);

const EVENT_STREAMS_MAX = 100;

const times = (count: number, content: string, publication = "p") =>
  Array.from({ length: count }, () => ({ content, publication }));

describe("the queue of a server", () => {
  let app: ToldApp;
  let folder: string;
  let gate: string;
  beforeAll(async () => {
    app = await startToldApp();
  });
  afterAll(() => app.stop());
  beforeEach(() => {
    folder = temporaryFolder();
    gate = join(folder, "open");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test("is empty at first, says what is worked and what waits, and what is done", async () => {
    expect(await queueOf(app)).toEqual({
      queued: 0,
      leased: 0,
      done: 0,
      dead: 0,
      oldest_age_ms: null,
      rate_per_s: 0,
    });
    await sendAll(app, [...times(1, `gate ${gate}`), ...times(399, "PER Ada")]);
    let queue = await queueOf(app);
    await until(async () => (queue = await queueOf(app)).leased === 200);
    expect(queue).toMatchObject({ queued: 200, leased: 200, done: 0, dead: 0 });
    expect(queue.oldest_age_ms).toBeGreaterThanOrEqual(0);
    writeFileSync(gate, "");
    expect(await drained(app)).toMatchObject({ done: 400, dead: 0, oldest_age_ms: null });
    await until(async () => (await queueOf(app)).rate_per_s > 0);
  });

  async function openEvents() {
    const aborter = new AbortController();
    const response = await fetch(`${app.url}/v1/queue/events`, { signal: aborter.signal });
    const reader = response.body?.pipeThrough(new TextDecoderStream() as never).getReader();
    let text = "";
    const next = async (): Promise<Queue | null> => {
      for (;;) {
        const [event, rest] = text.split(/\n\n(.*)/s);
        if (rest !== undefined) {
          text = rest;
          if (event?.startsWith(":") === true) continue;
          expect(event).toStartWith("event: queue\ndata: ");
          return JSON.parse(event?.split("data: ")[1] ?? "") as Queue;
        }
        const read = (await reader?.read()) as { done: boolean; value: string };
        if (read.done) return null;
        text += read.value;
      }
    };
    return { response, next, abort: () => aborter.abort() };
  }

  test("is told as events: at once, whenever it moves, until the stop", async () => {
    const events = await openEvents();
    expect(events.response.headers.get("content-type")).toContain("text/event-stream");
    const { done } = await queueOf(app);
    expect(await events.next()).toMatchObject({ queued: 0, leased: 0, done });
    await sendAll(app, times(50, "PER Ada"));
    let told: Queue | null = null;
    do told = await events.next();
    while (told !== null && told.done < done + 50);
    expect(told).toMatchObject({ queued: 0, leased: 0, done: done + 50, dead: 0 });
    const stopped = app.stop();
    let last = told;
    while (last !== null) last = await events.next();
    await stopped;
    expect(app.lines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
    app = await startToldApp();
  });

  test("is told to so many at once and no more; who leaves makes room", async () => {
    const streams = await Promise.all(Array.from({ length: EVENT_STREAMS_MAX }, openEvents));
    for (const { response } of streams) expect(response.status).toBe(200);
    const refused = await answerOf(await fetch(`${app.url}/v1/queue/events`));
    expect([refused.status, refused.json["code"]]).toEqual([429, "rate_limited"]);
    expect(refused.retryAfter).not.toBeNull();
    for (const { abort } of streams) abort();
    await until(async () => {
      const events = await openEvents();
      const { status } = events.response;
      if (status === 200) expect(await events.next()).toMatchObject({ queued: 0 });
      events.abort();
      return status === 200;
    });
  });

  test("counts exactly when workers are ended under load", async () => {
    const posts = Array.from({ length: 3_000 }, (_, at) => ({
      content: `PER Ada\nORG Number ${at % 10}`,
      publication: "load",
    }));
    const { done: before } = await queueOf(app);
    const sent = sendAll(app, posts);
    for (const done of [100, 800, 1_600]) {
      await until(async () => (await queueOf(app)).done >= before + done);
      await app.endTextWorker();
    }
    await sent;
    expect(await drained(app)).toMatchObject({ done: before + 3_000, dead: 0 });
    expect(await talkOf(app, "load")).toEqual([
      "PER Ada: 3000",
      ...Array.from({ length: 10 }, (_, at) => `ORG Number ${at}: 300`),
    ]);
  });

  test("goes on when a worker that hangs is ended", async () => {
    const { done } = await queueOf(app);
    const posts = [...times(1, `gate ${gate}`), ...times(20, "PER Ada")];
    await sendAll(
      app,
      posts.map((post) => ({ ...post, publication: "hanging" })),
    );
    await until(async () => (await queueOf(app)).leased === 21);
    await app.endTextWorker();
    writeFileSync(gate, "");
    expect(await drained(app)).toMatchObject({ done: done + 21, dead: 0 });
    expect(await talkOf(app, "hanging")).toEqual(["PER Ada: 20"]);
  });

  test("hands back at a clean stop what could not be worked in time", async () => {
    const kept = temporaryFolder();
    const settings = {
      DATABASE_URL: `sqlite:${join(kept, "earshot.db")}`,
      SHUTDOWN_TIMEOUT_MS: "2000",
    };
    const first = await startToldApp(settings);
    await sendAll(first, [...times(1, `gate ${gate}`), ...times(299, "PER Ada")]);
    await until(async () => (await queueOf(first)).leased === 200);
    await first.stop();
    expect(existsSync(gate)).toBe(false);
    const waiting = rowsIn<{ holder: string | null; ready_at: number; failures: number }>(
      kept,
      "SELECT holder, ready_at, failures FROM post_queue",
    );
    expect(waiting).toHaveLength(300);
    for (const { holder, ready_at, failures } of waiting) {
      expect({ holder, failures }).toEqual({ holder: null, failures: 0 });
      expect(ready_at).toBeLessThanOrEqual(Date.now());
    }
    writeFileSync(gate, "");
    const second = await startToldApp(settings);
    expect(await drained(second)).toMatchObject({ done: 300, dead: 0 });
    expect(await talkOf(second, "p")).toEqual(["PER Ada: 299"]);
    await second.stop();
    rmSync(kept, { recursive: true });
  });
});

interface Dead {
  id: number;
  publication: string;
  external_id: string | null;
  reason: string;
  failures: number;
  died_at: number;
}
const deadOf = (app: TestApp, query = ""): Promise<{ dead: Dead[]; next: number | null }> =>
  get(app, `/v1/queue/dead${query}`);
const retry = async (app: TestApp, id: number | string) =>
  answerOf(await postJson(`${app.url}/v1/queue/dead/${id}/retry`, undefined));

describe("posts that fail", () => {
  let app: TestApp;
  let mendedId: number;

  beforeAll(async () => {
    app = await startToldApp();
    const bad = { content: "throw it is bad\nPER Grace", publication: "p", external_id: "bad" };
    await sendAll(app, [
      ...times(60, "PER Ada"),
      bad,
      ...times(60, "PER Ada"),
      ...times(6, "throw as bad"),
      ...times(1, "throw-once oh\nPER Bob"),
    ]);
    const post = { content: "throw bad\nPER Grace", publication: "mended" };
    mendedId = Number((await send(app, post)).json["id"]);
    expect(await drained(app)).toMatchObject({ done: 121, dead: 8 });
  });
  afterAll(() => app.stop());

  test("are tried again and count once; all others are unharmed", async () => {
    expect(await talkOf(app, "p")).toEqual(["PER Ada: 120", "PER Bob: 1"]);
  });

  test("again and again are put aside with the reason, and listed in pages", async () => {
    const first = await deadOf(app, "?limit=3");
    const second = await deadOf(app, `?limit=3&after=${first.next}`);
    const third = await deadOf(app, `?limit=3&after=${second.next}`);
    const dead = [first, second, third].map((page) => page.dead);
    expect(dead.map(({ length }) => length)).toEqual([3, 3, 2]);
    expect(third.next).toBeNull();
    expect((await deadOf(app)).dead).toEqual(dead.flat());
    expect(dead.flat().slice(0, 1)).toEqual([
      {
        id: expect.any(Number) as number,
        publication: "p",
        external_id: "bad",
        reason: "it is bad",
        failures: 3,
        died_at: expect.any(Number) as number,
      },
    ]);
    expect(app.lines.join("\n")).not.toContain("Grace");
  });

  test("are asked for by ids and pages that can be", async () => {
    for (const id of ["0", "-1", "x", "1.5", "%27"]) {
      expect((await retry(app, id)).status).toBe(422);
    }
    for (const id of ["1", "999999", "9007199254740991"]) {
      expect((await retry(app, id)).status).toBe(404);
    }
    for (const query of ["?limit=0", "?limit=1001", "?after=-1", "?after=x", "?more=1"]) {
      expect((await fetch(`${app.url}/v1/queue/dead${query}`)).status).toBe(422);
    }
  });

  test("are taken back once, and count once when they can be worked now", async () => {
    // What was wrong with the worker is mended.
    const database = openDatabase(join(app.folder, "earshot.db"));
    await database.commit(() => {
      database.db.run(`UPDATE posts SET content = 'PER Grace' WHERE id = ${mendedId}`);
    });
    await database.close();
    const answers = await Promise.all(Array.from({ length: 10 }, () => retry(app, mendedId)));
    expect(answers.filter(({ status }) => status === 404)).toHaveLength(9);
    expect(answers.find(({ status }) => status === 200)?.json).toEqual({ id: mendedId });
    expect(await drained(app)).toMatchObject({ done: 122, dead: 7 });
    expect(await talkOf(app, "mended")).toEqual(["PER Grace: 1"]);
    expect((await retry(app, mendedId)).status).toBe(404);
  });
});

describe("streams of events", () => {
  test("are few of one caller, so that others have theirs", async () => {
    const state: QueueState = {
      queued: 0,
      leased: 0,
      done: 0,
      dead: 0,
      oldestAgeMs: null,
      ratePerS: 0,
    };
    const events = createQueueEvents(
      { state: async () => state, follow: () => () => undefined },
      () => ({}),
    );
    const open = (userId: number) => events.open({ userId, role: "key", name: "A program" });
    const streams: Response[] = [];
    for (let at = 0; at < 10; at++) streams.push(await open(-1));
    const refused = open(-1).catch((error: unknown) => error);
    expect(await refused).toMatchObject({ code: "rate_limited" });
    await open(-2);
    await streams[0]?.body?.cancel();
    await open(-1);
    events.close();
  });
});

describe("a stream of events that is not read", () => {
  const stateOf = (done: number): QueueState => ({
    queued: 0,
    leased: 0,
    done,
    dead: 0,
    oldestAgeMs: null,
    ratePerS: 0,
  });

  test("is told less for as long, and in the end how the queue stands", async () => {
    let tell: ((state: QueueState) => void) | undefined;
    const events = createQueueEvents(
      {
        state: async () => stateOf(0),
        follow: (follower) => {
          tell = follower;
          return () => undefined;
        },
      },
      (state) => ({ done: state.done }),
    );
    const { body } = await events.open({ userId: -1, role: "key", name: "A program" });
    for (let done = 1; done <= 50; done++) tell?.(stateOf(done));
    const reader = (body as ReadableStream<Uint8Array<ArrayBuffer>>).getReader();
    const read = async (): Promise<number> => {
      const { value } = await reader.read();
      const [, data = "{}"] = new TextDecoder().decode(value).split("data: ");
      return (JSON.parse(data) as { done: number }).done;
    };
    let last = await read();
    while (last < 7) last = await read();
    // It has not moved since, but was never told.
    tell?.(stateOf(50));
    expect(await read()).toBe(50);
    events.close();
    expect((await reader.read()).done).toBe(true);
  });
});

describe("how the queue stands", () => {
  test("is looked at only while somebody asks or follows", async () => {
    let reads = 0;
    const queue = createQueueService({
      store: {
        ...createQueueStore({
          database: openDatabase(":memory:"),
          processId: "one",
          now: Date.now,
        }),
        state: async () => ({
          queued: 0,
          leased: 0,
          done: 100 * ++reads,
          dead: 0,
          oldestAgeMs: null,
        }),
      },
      onAdded: () => undefined,
      log: createLog("silent"),
      lookEveryMs: 20,
      askedMs: 60,
    });
    const isStill = async (): Promise<boolean> => {
      const before = reads;
      await Bun.sleep(150);
      return reads === before;
    };
    expect(await isStill()).toBe(true);

    expect((await queue.state()).ratePerS).toBe(0);
    await until(() => reads > 1);
    await until(isStill);
    // The posts that were done while nobody asked say nothing of how fast they are done now.
    expect((await queue.state()).ratePerS).toBe(0);
    await until(isStill);

    const told = Promise.withResolvers<number>();
    const unfollow = queue.follow(({ ratePerS }) => void (ratePerS > 0 && told.resolve(ratePerS)));
    expect(await told.promise).toBeGreaterThan(0);
    expect(await isStill()).toBe(false);
    unfollow();
    await until(isStill);
    queue.follow(() => undefined);
    expect(await isStill()).toBe(false);
    queue.close();
    expect(await isStill()).toBe(true);
  });
});

describe("leases", () => {
  const START = 1_000_000_000;
  let clock: number;
  let database: Database;
  let one: QueueStore;
  let other: QueueStore;

  beforeEach(async () => {
    clock = START;
    const now = (): number => clock;
    database = openDatabase(":memory:");
    one = createQueueStore({ database, processId: "one", now });
    other = createQueueStore({ database, processId: "other", now });
    const posts = createPostStore({ database, queuedMax: 1_000, now });
    await posts.add(
      Array.from({ length: 10 }, () => ({
        content: "a",
        publication: "p",
        externalId: null,
        publishedAt: START,
      })),
    );
  });
  afterEach(() => database.close());

  const counted = (
    taken: readonly { id: number; publicationId: number; day: number }[],
  ): CountedPost[] =>
    taken.map(({ id, publicationId, day }) => ({
      id,
      publicationId,
      day,
      isSaid: false,
      topics: [{ label: "PER", key: "ada", spellings: ["Ada"] }],
    }));
  const counts = () => database.db.all<{ count: number }>("SELECT count FROM topics");

  test("what a clock that was ahead has put off does not wait for as long", async () => {
    clock = START + 86_400_000;
    expect(await one.take(10)).toHaveLength(10);
    clock = START;
    expect(await other.take(10)).toEqual([]);
    expect(await other.take(10)).toHaveLength(10);
  });

  test("give each post to one process, the oldest first", async () => {
    const taken = [...(await one.take(4)), ...(await other.take(4)), ...(await one.take(4))];
    expect(taken.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(await other.take(4)).toEqual([]);
  });

  test("are of fewer posts when these are long, and of one at least", async () => {
    const posts = createPostStore({ database, queuedMax: 1_000, now: () => clock });
    await one.take(10);
    const long = { publication: "p", externalId: null, publishedAt: START };
    const lengths = [1_500_000, 400_000, 400_000, 400_000, 1];
    await posts.add(lengths.map((length) => ({ ...long, content: "a".repeat(length) })));
    const taken = [];
    for (let batch = 0; batch < 4; batch++) {
      taken.push((await one.take(100)).map(({ content }) => content.length));
    }
    expect(taken).toEqual([[1_500_000], [400_000, 400_000], [400_000, 1], []]);
  });

  test("end, and then another process takes the posts; the first counts them no more", async () => {
    const first = await one.take(10);
    clock += LEASE_MS - 1;
    expect(await other.take(10)).toEqual([]);
    clock += 1;
    const second = await other.take(10);
    expect(second).toEqual(first);
    await one.finish(counted(first));
    expect(counts()).toEqual([]);
    expect(await one.fail(1, "late")).toBe("lost");
    await one.release("all", 0);
    await one.renew(first.map(({ id }) => id));
    expect(await one.take(10)).toEqual([]);
    await other.finish(counted(second));
    await other.finish(counted(second));
    expect(counts()).toEqual([{ count: 10 }]);
    expect(await one.state()).toMatchObject({ queued: 0, leased: 0, done: 10, dead: 0 });
  });

  test("that ended are still good when nobody else took the posts", async () => {
    const taken = await one.take(10);
    clock += 10 * LEASE_MS;
    expect(await one.state()).toMatchObject({ queued: 10, leased: 0 });
    await one.finish(counted(taken));
    expect(await one.state()).toMatchObject({ queued: 0, leased: 0, done: 10 });
  });

  test("last as long as they are renewed, each post's on its own", async () => {
    const taken = await one.take(10);
    const renewed = taken.slice(0, 5).map(({ id }) => id);
    clock += LEASE_MS - 1;
    await one.renew(renewed);
    clock += LEASE_MS - 1;
    expect((await other.take(10)).map(({ id }) => id)).toEqual([6, 7, 8, 9, 10]);
  });

  test("a post that fails waits longer each time, then is dead", async () => {
    const pauses: number[] = [];
    for (const outcome of ["again", "again", "dead"] as const) {
      const [post] = await one.take(1);
      expect(await one.fail(post?.id ?? 0, "bad")).toBe(outcome);
      const [row] = database.db.all<{ ready_at: number }>(
        `SELECT ready_at FROM post_queue WHERE post_id = ${post?.id}`,
      );
      if (row === undefined) break;
      pauses.push(row.ready_at - clock);
      database.db.run(`UPDATE post_queue SET ready_at = 0 WHERE post_id = ${post?.id}`);
    }
    expect(pauses).toEqual([500, 2_000]);
    expect(await one.state()).toMatchObject({ queued: 9, dead: 1 });
  });

  test("a post that cannot be counted is dead in the end, and those beside it are counted", async () => {
    const work = startPostWork({
      store: {
        ...one,
        finish: (done) =>
          done.some(({ id }) => id === 3)
            ? Promise.reject(new Error("it cannot be counted"))
            : one.finish(done),
      },
      findTopics: () => Promise.resolve([]),
      threads: 1,
      log: createLog("silent"),
    });
    await until(async () => {
      clock += LEASE_MS;
      work.wake();
      return (await one.state()).dead === 1;
    });
    expect(await one.state()).toMatchObject({ queued: 0, leased: 0, done: 9, dead: 1 });
    expect(await one.dead(0, 10)).toMatchObject([{ id: 3, reason: "it cannot be counted" }]);
    await work.end(1_000);
  });

  test("posts whose counting fails are held no longer, however much else is worked", async () => {
    const BATCH = 100;
    const posts = createPostStore({ database, queuedMax: 1_000, now: () => clock });
    await posts.add(
      Array.from({ length: 2 * BATCH - 10 }, () => ({
        content: "later",
        publication: "p",
        externalId: null,
        publishedAt: START,
      })),
    );
    const full = Object.assign(new Error("the disk is full"), { code: "SQLITE_FULL" });
    const lines: string[] = [];
    const renewed = Promise.withResolvers<readonly number[]>();
    const worked = Promise.withResolvers<[]>();
    let failures = 0;
    let asked = 0;
    const work = startPostWork({
      store: {
        ...one,
        finish: (done) => (failures++ === 0 ? Promise.reject(full) : one.finish(done)),
        renew: (ids) => {
          renewed.resolve(ids);
          return one.renew(ids);
        },
      },
      // The second batch takes long.
      findTopics: () => (++asked > BATCH ? worked.promise : Promise.resolve([])),
      threads: 1,
      log: createLog("info", (line) => lines.push(line)),
    });
    await until(() => lines.some((line) => line.includes("could not be counted")));
    const ids = await renewed.promise;
    expect(ids).toHaveLength(BATCH);
    expect(Math.min(...ids)).toBe(BATCH + 1);
    clock += LEASE_MS;
    worked.resolve([]);
    await until(async () => (await one.state()).done === 2 * BATCH);
    await work.end(100);
  });

  test("posts that find the threads full come back after a pause, not at once", async () => {
    let asked = 0;
    const work = startPostWork({
      store: one,
      findTopics: () => {
        asked++;
        return Promise.reject(new PoolFull("too many jobs wait"));
      },
      threads: 1,
      log: createLog("silent"),
    });
    await until(() => asked === 10);
    await until(async () => (await one.state()).leased === 0);
    expect(asked).toBe(10);
    expect(await one.state()).toMatchObject({ queued: 10, done: 0, dead: 0 });
    const failures = database.db.all("SELECT DISTINCT failures FROM post_queue");
    expect(failures).toEqual([{ failures: 0 }]);
    await work.end(100);
    expect(asked).toBe(10);
  });
});

test.concurrent("a post that ends its worker is put aside, and nothing is lost that was with it", async () => {
  const ending = await startToldApp();
  await sendAll(ending, [...times(150, "PER Ada"), ...times(1, "exit"), ...times(149, "PER Ada")]);
  expect(await drained(ending)).toMatchObject({ done: 299, dead: 1 });
  const { dead } = await deadOf(ending);
  expect(dead).toMatchObject([{ failures: 3, reason: "the worker died over this job twice" }]);
  expect(await talkOf(ending, "p")).toEqual(["PER Ada: 299"]);
  await ending.stop();
});

test.concurrent("several processes work one queue, and what one held that is killed the others do", async () => {
  const killed = await startTestServer();
  const other = await startTestServer({}, killed.folder);
  const both = [killed, other];
  const posts = times(500, "Angela Merkel went to Berlin.");
  await Promise.all(both.map((server) => sendAll(server, posts)));
  for (const server of both) expect(await drained(server)).toMatchObject({ done: 1_000, dead: 0 });
  const talk = ["PER Angela Merkel: 1000", "LOC Berlin: 1000"];
  for (const server of both) expect(await talkOf(server, "p")).toEqual(talk);

  await Promise.all(both.map((server) => sendAll(server, posts)));
  killed.signal("SIGKILL");
  await killed.exited;
  await until(async () => (await queueOf(other)).queued === 0);
  // What it held waits for its lease to end, which is not waited for here.
  endLeases(killed.folder);
  expect(await drained(other)).toMatchObject({ done: 2_000, dead: 0 });
  expect(await talkOf(other, "p")).toEqual(["PER Angela Merkel: 2000", "LOC Berlin: 2000"]);
  await other.dispose();
  await killed.dispose();
});
