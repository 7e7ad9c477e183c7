import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { cpus } from "node:os";
import { endOf } from "./support/command.ts";
import { createRandom } from "./support/random.ts";
import { hasRedis, startRedis } from "./support/redis.ts";
import { runEarshot } from "./support/server.ts";
import { hasVosk } from "./support/sound.ts";
import { type Stop, openStops } from "./support/stops.ts";

// The long run, after which it is known what a stop costs:
//   EARSHOT_STOPS=20 EARSHOT_MEMBERS=500 EARSHOT_POSTS=100000 bun test tests/stop-under-load.test.ts
// With EARSHOT_BINARY the built program, with EARSHOT_REDIS=on beside Redis.

const STOPS = Number(process.env["EARSHOT_STOPS"] ?? 1);
const MEMBERS = Number(process.env["EARSHOT_MEMBERS"] ?? 60);
const POSTS = Number(process.env["EARSHOT_POSTS"] ?? 5_000);
const SEED = Number(process.env["EARSHOT_SEED"] ?? 7);
const hasRedisBeside = process.env["EARSHOT_REDIS"] === "on" && hasRedis;
const SPEAKERS = hasVosk ? 2 : 0;

setDefaultTimeout(60_000 + STOPS * (60_000 + POSTS * 5));

const redis = hasRedisBeside ? await startRedis() : null;
afterAll(() => redis?.dispose());
/** In a long run as many as a server starts by itself; in a short one most of the time would be theirs. */
const workers = String(process.env["EARSHOT_STOPS"] === undefined ? 1 : cpus().length);
const settings = {
  SPEECH_ENGINE: hasVosk ? "vosk" : "none",
  TEXT_WORKERS: workers,
  SPEECH_WORKERS: workers,
  ...(redis === null ? {} : { REDIS_URL: redis.url }),
};

test("a server that is stopped under load tells everybody, ends well and loses nothing", async () => {
  const stops = openStops({
    members: MEMBERS,
    speakers: SPEAKERS,
    posts: POSTS,
    random: createRandom(SEED),
    settings,
  });
  try {
    const all: Stop[] = [];
    const wrong: string[] = [];
    for (let n = 1; n <= STOPS; n++) {
      const stop = await stops.live();
      all.push(stop);
      wrong.push(...stop.wrong);
      console.log(rowOf(n, stop));
    }
    wrong.push(...(await stops.finish()));
    const check = await endOf(
      runEarshot(["check"], { DATABASE_URL: `sqlite:${stops.folder}/earshot.db` }),
    );
    if (check.code !== 0) wrong.push(`earshot check: ${check.out}`);
    console.log(summaryOf(all, wrong));
    expect(wrong).toEqual([]);
  } finally {
    await stops.dispose();
  }
});

function rowOf(n: number, stop: Stop): string {
  const { exitCode, ms, codes, warned, spoken, messages, posts, finals, wrong } = stop;
  const closes = Object.entries(codes).map(([code, times]) => `${code} × ${times}`);
  return (
    `stop ${n}: exit code ${exitCode} after ${ms.toFixed(0)} ms; told ${warned}, closed ${closes.join(", ")}; ` +
    `speakers ${spoken.join(", ")}; acknowledged so far ${messages} messages, ${posts} posts, ${finals} finals; ` +
    `wrong ${wrong.length}`
  );
}

function summaryOf(all: readonly Stop[], wrong: readonly string[]): string {
  const ms = all.map((stop) => stop.ms).sort((one, other) => one - other);
  const at = (share: number): string => (ms[Math.floor(share * (ms.length - 1))] ?? 0).toFixed(0);
  return (
    `${all.length} stops (EARSHOT_SEED=${SEED}): ${at(0)} / ${at(0.5)} / ${at(1)} ms (least, middle, most); ` +
    `wrong: ${wrong.length}`
  );
}
