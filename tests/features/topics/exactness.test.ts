import { expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../../support/app.ts";
import { createRandom } from "../../support/random.ts";
import { type TestServer, startTestServer } from "../../support/server.ts";
import {
  type Expected,
  differences,
  expectCounts,
  makePost,
  openTopicFinder,
  sendPosts,
} from "../../support/topics-load.ts";
import { drained, rowsIn } from "../../support/topics.ts";

/** `EARSHOT_POSTS=100000 EARSHOT_KILLS=20` is the long run. */
const POSTS = Number(process.env["EARSHOT_POSTS"] ?? 400);
const KILLS = Number(process.env["EARSHOT_KILLS"] ?? 2);
const RUN_MS_MAX = 30_000 + POSTS * 10;
const SEED = 11;
/** A kill comes up to so long after its number of posts. */
const KILL_LATE_MS = 40;
const START_TRIES = 5;

setDefaultTimeout(RUN_MS_MAX);

function* posts() {
  for (let n = 0; n < POSTS; n++) yield makePost(n);
}

let counted: Promise<Expected> | null = null;
const truth = (): Promise<Expected> =>
  (counted ??= openTopicFinder().then((findTopics) => expectCounts(posts(), findTopics)));

/** A port may be taken for a moment by a connection that is being closed. */
async function startAgain(port: string, folder: string): Promise<TestServer> {
  for (let tries = 1; ; tries++) {
    try {
      return await startTestServer({ PORT: port }, folder);
    } catch (error) {
      if (tries === START_TRIES) throw error;
      await Bun.sleep(100);
    }
  }
}

function expectAcknowledged(folder: string, ids: ReadonlyMap<string, number>): void {
  const kept = new Map(
    rowsIn<{ external_id: string; id: number }>(folder, "SELECT external_id, id FROM posts").map(
      ({ external_id, id }) => [external_id, id],
    ),
  );
  expect(kept.size).toBe(POSTS);
  const moved = [...ids].filter(([externalId, id]) => kept.get(externalId) !== id);
  expect(moved).toEqual([]);
}

test.concurrent(
  "every count is right although the server is killed again and again",
  async () => {
    const first = await startTestServer();
    const port = new URL(first.url).port;
    let server = first;
    const sending = sendPosts(POSTS, () => server);
    const random = createRandom(SEED);
    const moments = Array.from({ length: KILLS }, () => Math.floor(random() * POSTS));
    // The last one comes when all are taken in and some still wait.
    if (KILLS > 1) moments[0] = POSTS;
    for (const moment of moments.sort((one, other) => one - other)) {
      await until(() => sending.acknowledged() >= moment, RUN_MS_MAX);
      await Bun.sleep(moment === POSTS ? 0 : random() * KILL_LATE_MS);
      server.signal("SIGKILL");
      expect(await server.exited).toBeNull();
      server = await startAgain(port, first.folder);
    }
    expectAcknowledged(first.folder, await sending.sent);
    expect(await drained(server, RUN_MS_MAX)).toMatchObject({ done: POSTS, dead: 0 });
    expect(await differences(server, first.folder, await truth())).toEqual([]);
    expect(server.output()).not.toContain('"level":"error"');
    await server.dispose();
    await first.dispose();
  },
  RUN_MS_MAX,
);

test.concurrent(
  "every count is right when two processes share the work and one is killed",
  async () => {
    const killed = await startTestServer();
    const kept = await startTestServer({}, killed.folder);
    let turn = 0;
    let servers = [killed, kept];
    const sending = sendPosts(POSTS, () => servers[turn++ % servers.length] as TestServer);
    await until(() => sending.acknowledged() >= POSTS / 2, RUN_MS_MAX);
    killed.signal("SIGKILL");
    await killed.exited;
    servers = [kept];
    expectAcknowledged(killed.folder, await sending.sent);
    expect(await drained(kept, RUN_MS_MAX)).toMatchObject({ done: POSTS, dead: 0 });
    expect(await differences(kept, killed.folder, await truth())).toEqual([]);
    await kept.dispose();
    await killed.dispose();
  },
  RUN_MS_MAX,
);
