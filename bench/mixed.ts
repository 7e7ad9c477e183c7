import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { makePost } from "../tests/support/topics-load.ts";
import {
  type Load,
  type LoadTold,
  type Measured,
  type Sample,
  machineTicks,
  openLoad,
  sample,
} from "./mixed-world.ts";
import { type Server, end, listeningAt, spawnEarshot, withFolder } from "./servers.ts";
import { quantile } from "./speakers.ts";

// Everything at once for a long time: rooms with people who come and go, two who speak, posts, searches,
// questions and pages. First how much of this mix the machine can do, then a share of it, and whether
// memory, handles or waiting times grow.
//
//   bun mixed.ts [--minutes 20] [--share 0.5] [--binary FILE] [--scale N: instead of measuring it]

const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "20" },
    share: { type: "string", default: "0.5" },
    binary: { type: "string" },
    scale: { type: "string" },
  },
});
const MINUTES = Number(options.minutes);
const SHARE = Number(options.share);
const MINUTE_MS = 60_000;
const SAMPLE_MS = 10_000;
const REST_MS = 60_000;
const SEED_TEXTS = 500;

// The capacity is the last scale before one of these: the machine has no time left, what is said takes
// long to be heard, or posts come faster than they are counted.
const SCALE_FIRST = 4;
const SCALE_STEP = 1.5;
const SETTLE_MS = 5_000;
const MEASURE_MS = 8_000;
const IDLE_SHARE_MIN = 0.08;
const MESSAGE_P99_MS_MAX = 500;
const OLDEST_POST_S_MAX = 3;

const isInterrupted = Promise.withResolvers<never>();
isInterrupted.promise.catch(() => {});
process.once("SIGINT", () => isInterrupted.reject(new Error("interrupted")));
const sleep = (ms: number): Promise<void> =>
  Promise.race([Bun.sleep(Math.max(0, ms)), isInterrupted.promise]);

interface Moment {
  sample: Sample;
  told: LoadTold;
}

try {
  const capacity =
    options.scale === undefined ? await withServer(findCapacity) : Number(options.scale);
  await withServer((server, url) => run(server, url, capacity * SHARE));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
// Sleeps that nobody waits for any more are no reason to stay.
process.exit();

/** Runs with a server of its own, as shipped, with data to search in; both are gone afterwards. */
function withServer<T>(use: (server: Server, url: string) => Promise<T>): Promise<T> {
  return withFolder(async (folder) => {
    const settings = {
      SPEECH_ENGINE: "vosk",
      TEXT_WORKERS: String(cpus().length),
      RATE_LIMITS: "on",
      MODELS_DIR: join(folder, "models"),
    };
    const program = options.binary === undefined ? undefined : [resolve(options.binary)];
    const server = spawnEarshot(folder, settings, program);
    try {
      const url = await listeningAt(server);
      const http = url.replace("ws:", "http:");
      while (!(await fetch(`${http}/readyz`)).ok) await sleep(50);
      for (let n = 0; n < SEED_TEXTS; n++) {
        await fetch(`${http}/v1/transcriptions/save`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({
            user_id: 1,
            language: "en",
            transcription: makePost(-n - 1).content,
          }),
        });
      }
      return await use(server, url);
    } finally {
      await end([server]);
    }
  });
}

async function findCapacity(server: Server, url: string): Promise<number> {
  const load = openLoad(url);
  let capacity = SCALE_FIRST / SCALE_STEP;
  try {
    console.log("| scale | machine busy % | server CPU % | message p50/p99 ms | oldest post s |");
    console.log("|--:|--:|--:|--:|--:|");
    for (let scale = SCALE_FIRST; ; scale *= SCALE_STEP) {
      await load.setScale(scale);
      await sleep(SETTLE_MS);
      await load.tell();
      const [before, ticks] = [await sample(server, url), machineTicks()];
      await sleep(MEASURE_MS);
      const [after, then, told] = [await sample(server, url), machineTicks(), await load.tell()];
      const idle = (then.idle - ticks.idle) / (then.all - ticks.all);
      const { message = [] } = told.values;
      console.log(
        `| ${scale.toFixed(1)} | ${(100 - idle * 100).toFixed(0)} | ${cpuPercent(before, after)} | ${figures(message)} | ${after.oldestS.toFixed(1)} |`,
      );
      const isTooMuch =
        idle < IDLE_SHARE_MIN ||
        quantile(message, 0.99) > MESSAGE_P99_MS_MAX ||
        after.oldestS > OLDEST_POST_S_MAX;
      if (isTooMuch) return capacity;
      capacity = scale;
    }
  } finally {
    await load.kill();
  }
}

async function run(server: Server, url: string, scale: number): Promise<void> {
  await warm(url);
  const quiet = await sample(server, url);
  const load = openLoad(url);
  const moments: Moment[] = [];
  try {
    await load.setScale(scale);
    const begunAt = performance.now();
    const endAt = begunAt + MINUTES * MINUTE_MS;
    console.log(`\nscale ${scale.toFixed(2)} for ${MINUTES} minutes: ${mixText(scale)}\n`);
    for (let at = begunAt + SAMPLE_MS; at <= endAt; at += SAMPLE_MS) {
      await sleep(at - performance.now());
      moments.push({ sample: await sample(server, url), told: await load.tell() });
    }
    printTable(moments, begunAt);
    const rest = await leave(server, url, load);
    printVerdict({ quiet, moments, rest });
  } finally {
    await load.kill();
  }
}

/** What a server opens and loads when it is first asked for is no growth. */
async function warm(url: string): Promise<void> {
  const load = openLoad(url);
  try {
    await load.setScale(1);
    await sleep(SETTLE_MS);
    await Promise.race([load.end(), isInterrupted.promise]);
  } finally {
    await load.kill();
  }
  await sleep(SETTLE_MS);
}

/** Everybody leaves; then nobody does anything for a while. */
async function leave(
  server: Server,
  url: string,
  load: Load,
): Promise<{ left: Sample; rested: Sample }> {
  await Promise.race([load.end(), isInterrupted.promise]);
  await load.kill();
  await sleep(1_000);
  const left = await sample(server, url);
  await sleep(REST_MS);
  return { left, rested: await sample(server, url) };
}

function mixText(scale: number): string {
  const each = (rate: number): string => (rate * scale).toFixed(rate * scale < 10 ? 1 : 0);
  return (
    `${each(100)} members in rooms of 20, ${each(20)} messages/s, ${each(2)} comings and goings/s, ` +
    `2 speakers, ${each(50)} posts/s, ${each(3)} searches and questions/s, ${each(0.2)} pages/s`
  );
}

function printTable(moments: readonly Moment[], begunAt: number): void {
  console.log(
    "| minutes | CPU % | RSS MB | heap MB | handles | threads | loop delay p99 ms | queued | message p50/p99 ms | final p50/p99 ms | interim p50/p99 ms | post p50/p99 ms | search p50/p99 ms | others p50/p99 ms |",
  );
  console.log("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
  const windows: [number, number][] = [[1, 2]];
  for (let from = 2; from < MINUTES; from += 5) windows.push([from, Math.min(from + 5, MINUTES)]);
  windows.push([Math.max(1, MINUTES - 2), MINUTES]);
  for (const [from, to] of windows) {
    const inside = moments.filter(({ sample: { atMs } }) => {
      const minute = (atMs - begunAt) / MINUTE_MS;
      return minute > from && minute < to + 0.1;
    });
    const [first, last] = [inside[0]?.sample, inside.at(-1)?.sample];
    if (first === undefined || last === undefined) continue;
    const mean = (value: (one: Sample) => number): string =>
      (inside.reduce((sum, one) => sum + value(one.sample), 0) / inside.length).toFixed(0);
    const timed = (kind: Measured): string =>
      figures(inside.flatMap(({ told }) => told.values[kind] ?? []));
    const kinds: Measured[] = ["message", "caption", "interim", "post", "search", "other"];
    console.log(
      `| ${from}–${to} | ${cpuPercent(first, last)} | ${mean((one) => one.rssMb)} | ${mean((one) => one.heapMb)} | ${mean((one) => one.handles)} | ${mean((one) => one.threads)} | ${delayText(first, last)} | ${mean((one) => one.queued)} | ${kinds.map(timed).join(" | ")} |`,
    );
  }
  const done: Record<string, number> = {};
  for (const { told } of moments) {
    for (const [what, times] of Object.entries(told.done)) done[what] = (done[what] ?? 0) + times;
  }
  console.log(`\ndone: ${JSON.stringify(done)}`);
  const faults = moments.flatMap(({ told }) => told.faults);
  console.log(`faults: ${faults.length} ${[...new Set(faults)].slice(0, 10).join("; ")}`);
}

interface Outcome {
  quiet: Sample;
  moments: readonly Moment[];
  rest: { left: Sample; rested: Sample };
}

function printVerdict({ quiet, moments, rest: { left, rested } }: Outcome): void {
  const half = moments.slice(Math.floor(moments.length / 2)).map(({ sample: one }) => one);
  console.log(
    `memory over the second half: RSS ${slope(half, (one) => one.rssMb)} MB/min, heap ${slope(half, (one) => one.heapMb)} MB/min\n` +
      `RSS ${quiet.rssMb.toFixed(0)} MB before anybody came, ${left.rssMb.toFixed(0)} MB when all had left, ${rested.rssMb.toFixed(0)} MB after a minute of rest; ` +
      `heap ${quiet.heapMb.toFixed(0)}, ${left.heapMb.toFixed(0)}, ${rested.heapMb.toFixed(0)} MB\n` +
      `handles ${quiet.handles} before, ${left.handles} when all had left, ${rested.handles} after the rest; ` +
      `threads ${quiet.threads}, ${left.threads}, ${rested.threads}; CPU at rest ${cpuPercent(left, rested)} %`,
  );
}

/** Of the line that lies nearest, a minute. */
function slope(samples: readonly Sample[], value: (one: Sample) => number): string {
  const mean = (numbers: number[]): number =>
    numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
  const minutes = samples.map(({ atMs }) => atMs / MINUTE_MS);
  const values = samples.map((one) => value(one));
  const [x, y] = [mean(minutes), mean(values)];
  const rise = mean(minutes.map((minute, at) => (minute - x) * ((values[at] ?? 0) - y)));
  return (rise / mean(minutes.map((minute) => (minute - x) ** 2))).toFixed(2);
}

function cpuPercent(from: Sample, to: Sample): string {
  return (((to.cpuS - from.cpuS) * 100_000) / (to.atMs - from.atMs)).toFixed(0);
}

function figures(ms: readonly number[]): string {
  if (ms.length === 0) return "–";
  const digits = quantile(ms, 0.5) < 10 ? 1 : 0;
  return `${quantile(ms, 0.5).toFixed(digits)} / ${quantile(ms, 0.99).toFixed(0)}`;
}

/** The bound below which 99 of 100 delays between two samples were. */
function delayText(from: Sample, to: Sample): string {
  const counts = [...to.delays].map(
    ([bound, times]) => [bound, times - (from.delays.get(bound) ?? 0)] as const,
  );
  const all = counts.at(-1)?.[1] ?? 0;
  const [bound] = counts.find(([, times]) => times >= all * 0.99) ?? [Number.NaN];
  return `≤ ${(bound * 1_000).toFixed(0)}`;
}
