import { rmSync } from "node:fs";
import type { Environment } from "../../src/environment.ts";
import { until } from "./app.ts";
import { openCrowd } from "./crowd.ts";
import { type ReturningClient, openReturning } from "./returning.ts";
import { type TestServer, startTestServer, temporaryFolder } from "./server.ts";
import { speech, written } from "./speaker.ts";
import { type Kept, lostMessages, lostPosts, lostWords } from "./stops-kept.ts";
import { type Sending, sendPosts } from "./topics-load.ts";
import { drained, queueOf } from "./topics.ts";

// A server that is stopped while much goes on, and started again with what it has kept.

export interface StopsOptions {
  members: number;
  speakers: number;
  /** Posts of the run in the middle of which each stop comes. */
  posts: number;
  random: () => number;
  settings: Environment;
}

/** How one stop went. */
export interface Stop {
  exitCode: number | null;
  /** From the signal to the end of the process. */
  ms: number;
  /** How the members' connections ended, and how many were told before. */
  codes: Record<number, number>;
  warned: number;
  /** How speakers ended: the reason of `done`, and the code of the close. */
  spoken: string[];
  /** Messages and posts that were acknowledged so far, in all rounds. */
  messages: number;
  posts: number;
  finals: number;
  /** Everything that is not as it should be. */
  wrong: string[];
}

export interface Stops {
  /** Starts the server, loads it and stops it in the middle. */
  live(): Promise<Stop>;
  /** Starts it once more, lets everything come to its end and stops it at rest. */
  finish(): Promise<string[]>;
  /** What `earshot check` is to look at. */
  folder: string;
  dispose(): Promise<void>;
}

const ROOM_MEMBERS = 50;
const ROOMS_MIN = 3;
const FRAME_BYTES = 3_200;
const FRAME_MS = 100;
/** Words that come soon, so that a short round has finals. */
const IMPATIENT_MS = 300;
const SPEAKER_ID = 900_001;
/** A run has so many bulks at least; the first stop comes behind some of them. */
const BULKS = 50;
/** The share of a run's posts that are acknowledged when the signal comes. */
const MOMENT = { from: 0.2, to: 0.8 };
/** Twenty minutes; who has said them all is silent. */
const SOUND_BYTES = 20 * 60 * 32_000;
/** What takes longer on a machine that is slow never comes. */
const WAIT_MS_MAX = 60_000;
const WAIT_MS_A_POST = 5;
/** The product's default; see docs/OPERATIONS.md. */
const STOP_MS_MAX = 10_000;
const SERVICE_RESTART = 1012;

export function openStops(options: StopsOptions): Stops {
  const { members, posts, random } = options;
  const folder = temporaryFolder();
  const waitMs = WAIT_MS_MAX + posts * WAIT_MS_A_POST;
  const count = Math.max(ROOMS_MIN, Math.ceil(members / ROOM_MEMBERS));
  const rooms = Array.from({ length: count }, (_, at) => `room ${at}`);
  const crowd = openCrowd(members, rooms);
  const speakers: ReturningClient[] = [];
  const runs: Sending[] = [];
  const kept: Kept = { acknowledged: [], heard: [] };
  let server: TestServer | null = null;

  const start = async (): Promise<TestServer> => {
    const started = await startTestServer(options.settings, folder);
    await until(async () => (await fetch(`${started.url}/readyz`)).ok, WAIT_MS_MAX);
    server = started;
    return started;
  };
  const running = (): TestServer => {
    if (server === null) throw new Error("there is no server");
    return server;
  };

  /** Everybody comes, or comes back to where they were. */
  const gather = async (at: TestServer): Promise<void> => {
    await crowd.enter(at.wsUrl);
    if (speakers.length > 0) {
      for (const speaker of speakers) await speaker.resume(at);
      return;
    }
    for (let n = 0; n < options.speakers; n++) {
      const start = { user_id: SPEAKER_ID + n, room: rooms[0], endpointing_ms: IMPATIENT_MS };
      speakers.push(await openReturning(at, repeatedSound(n), { start }));
    }
  };

  const learn = async (): Promise<{
    codes: Record<number, number>;
    warned: number;
    faults: string[];
    reached: Record<string, number>;
  }> => {
    const report = await crowd.report();
    kept.acknowledged = report.acknowledged;
    kept.heard.push(...report.heard);
    return report;
  };

  const acknowledgedPosts = (): number[] => runs.flatMap((run) => run.numbers());
  const frames = () => speakers.map((speaker) => speaker.frames());

  const live = async (): Promise<Stop> => {
    const at = await start();
    await gather(at);
    const before = speakers.map((speaker) => speaker.socket.frames.length);
    const speaking = speakers.map((speaker) => speakOn(speaker));
    await until(
      () => speakers.every(({ socket }, n) => hasHeard(socket.frames.slice(before[n]))),
      WAIT_MS_MAX,
    );
    const run = sendPosts(posts, running, {
      first: runs.length * posts,
      bulkPosts: Math.ceil(posts / BULKS),
    });
    runs.push(run);
    const moment = posts * (MOMENT.from + random() * (MOMENT.to - MOMENT.from));
    await until(() => run.acknowledged() >= moment, waitMs);

    const wrong: string[] = [];
    const signalledAt = performance.now();
    at.signal("SIGTERM");
    const exitCode = await at.exited;
    const ms = performance.now() - signalledAt;
    if (run.acknowledged() === posts) wrong.push("the posts were all sent before the stop");
    run.close();
    if (exitCode !== 0) wrong.push(`the server ended with ${exitCode}`);
    if (ms > STOP_MS_MAX) wrong.push(`the stop took ${ms.toFixed(0)} ms`);

    await Promise.all([...speaking, crowd.left()]);
    const spoken: string[] = [];
    for (const { socket } of speakers) {
      const { code } = await socket.closed;
      const done = socket.frames.find(({ type }) => type === "done");
      // Who was still waiting for the last words when time was up gets them after the next start.
      spoken.push(`${JSON.stringify(done?.["reason"] ?? "parked")} ${code}`);
      if (code !== SERVICE_RESTART || socket.frames.at(-1)?.["code"] !== "draining") {
        wrong.push(
          `a speaker was closed with ${code} after ${JSON.stringify(socket.frames.at(-1))}`,
        );
      }
    }
    const { codes, warned, faults } = await learn();
    if (warned !== members || codes[SERVICE_RESTART] !== members) {
      wrong.push(`${warned} members were told of the stop; closes: ${JSON.stringify(codes)}`);
    }
    const errors = at.output().match(/^.*"level":"error".*$/gm) ?? [];
    await at.dispose();
    const numbers = acknowledgedPosts();
    return {
      exitCode,
      ms,
      codes,
      warned,
      spoken,
      messages: kept.acknowledged.length,
      posts: numbers.length,
      finals: frames()
        .flat()
        .filter(({ type }) => type === "final").length,
      wrong: [
        ...wrong,
        ...faults,
        ...errors,
        ...lostMessages(folder, kept),
        ...lostPosts(folder, numbers),
        ...lostWords(folder, frames(), false),
      ],
    };
  };

  const finish = async (): Promise<string[]> => {
    const at = await start();
    await gather(at);
    await crowd.hush();
    for (const speaker of speakers) await speaker.stop(waitMs);
    const ids = await Promise.all(runs.map(({ sent }) => sent));
    // What is on its way to the members arrives; then everybody has everything, and may go silent while
    // posts are worked for as long as it takes.
    let faults: string[] = [];
    let missing: string[] = [];
    await until(async () => {
      const report = await learn();
      ({ faults } = report);
      missing = lostMessages(folder, kept, report.reached);
      return missing.length === 0;
    }, WAIT_MS_MAX).catch(() => {});
    const numbers = acknowledgedPosts();
    const queue = await drained(at, WAIT_MS_MAX + numbers.length * WAIT_MS_A_POST);
    const wrong: string[] = [];
    if (queue.done !== numbers.length || queue.dead > 0) {
      wrong.push(
        `${numbers.length} posts were sent, and now: ${JSON.stringify(await queueOf(at))}`,
      );
    }
    at.signal("SIGTERM");
    const exitCode = await at.exited;
    if (exitCode !== 0) wrong.push(`the last server ended with ${exitCode}`);
    wrong.push(...(at.output().match(/^.*"level":"error".*$/gm) ?? []));
    await at.dispose();
    return [
      ...wrong,
      ...faults,
      ...missing,
      ...lostPosts(folder, numbers, new Map(ids.flatMap((one) => [...one]))),
      ...lostWords(folder, frames(), true),
    ];
  };

  return {
    live,
    finish,
    folder,
    dispose: async () => {
      await crowd.dispose();
      await server?.dispose();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const hasHeard = (frames: readonly { type?: string }[]): boolean =>
  frames.some(({ type }) => type === "partial" || type === "final");

/** Speaks at the pace of speech until the connection ends. */
async function speakOn({ socket, sent, send }: ReturningClient): Promise<void> {
  const begunAt = performance.now();
  const from = sent();
  let isOver = false;
  void socket.closed.then(() => (isOver = true));
  for (let frame = 1; !isOver; frame++) {
    await Bun.sleep(begunAt + frame * FRAME_MS - performance.now());
    send(from + frame * FRAME_BYTES);
  }
}

/** The recording again and again, long enough for every round; each speaker is elsewhere in it. */
function repeatedSound(n: number): Uint8Array<ArrayBuffer> {
  const once = written(speech());
  const from = (n * FRAME_BYTES * 13) % once.length;
  const turned = Buffer.concat([once.subarray(from), once.subarray(0, from)]);
  const times = Math.ceil(SOUND_BYTES / once.length);
  return new Uint8Array(Buffer.concat(Array.from({ length: times }, () => turned)));
}
