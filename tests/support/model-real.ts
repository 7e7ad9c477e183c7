import { rmSync } from "node:fs";
import type { MessageFrame } from "../../src/features/chat/model.ts";
import { temporaryFolder, until } from "./app.ts";
import { connectRaw, connectTyped } from "./model-connected.ts";
import { differences } from "./model-member.ts";
import { startRedis } from "./redis.ts";
import { type TestServer, startTestServer } from "./server.ts";

// The real world: two processes, one file, one Redis, and a killer.

/** So long do its members act at least; they go on until what was killed meanwhile is back. */
const ACTING_MS_MIN = 700;
/** Between two things that somebody does. */
const PAUSE_MS_MAX = 6;
const DEAD_MS_MAX = 150;
/** Past this, whoever does not hold the log yet never will. */
const SETTLING_MS_MAX = 10_000;
const TYPED = 3;
const RAW = 3;

export interface RealWorld {
  /** Lives through one run; resolves with everything that is wrong in the end. */
  live(room: string, chance: () => number): Promise<string[]>;
  dispose(): Promise<void>;
}

export async function openRealWorld(): Promise<RealWorld> {
  const redis = await startRedis();
  const folder = temporaryFolder();
  const settings = { REDIS_URL: redis.url, RATE_LIMITS: "off" };
  const servers: TestServer[] = [];
  for (let i = 0; i < 2; i++) servers.push(await startTestServer(settings, folder));

  const killServer = async (which: number, pauseMs: number): Promise<void> => {
    const server = servers[which];
    if (server === undefined) return;
    await server.dispose();
    await Bun.sleep(pauseMs);
    const { port } = new URL(server.url);
    servers[which] = await startTestServer({ ...settings, PORT: port }, folder);
  };
  const killRedis = async (pauseMs: number): Promise<void> => {
    await redis.kill();
    await Bun.sleep(pauseMs);
    await redis.start();
  };
  const urlOf = (which: number): string => servers[which]?.url ?? "";

  const live = async (room: string, chance: () => number): Promise<string[]> => {
    const pick = (below: number): number => Math.floor(chance() * below);
    const typed = Array.from({ length: TYPED }, (_, at) =>
      connectTyped(room, at + 1, urlOf(at % 2).replace("http:", "ws:")),
    );
    const raw = Array.from({ length: RAW }, (_, at) =>
      connectRaw(room, TYPED + at + 1, urlOf(at % 2).replace("http:", "ws:")),
    );
    const members = [...typed, ...raw.map(({ member }) => member)];
    await until(() => members.every((member) => member.isIn()));

    const disasters = Array.from({ length: 1 + pick(2) }, () => {
      const [atMs, what, pauseMs] = [chance() * ACTING_MS_MIN, pick(3), chance() * DEAD_MS_MAX];
      return { atMs, what, pauseMs };
    });
    const plan = disasters.filter(
      // What is dead already is not killed again.
      ({ what }, at, all) => all.findIndex((other) => other.what === what) === at,
    );
    let isOver = false;
    const killing = Promise.all(
      plan.map(async ({ atMs, what, pauseMs }) => {
        await Bun.sleep(atMs);
        await (what === 2 ? killRedis(pauseMs) : killServer(what, pauseMs));
      }),
    ).finally(() => {
      isOver = true;
    });

    const end = performance.now() + ACTING_MS_MIN;
    for (let step = 0; !isOver || performance.now() < end; step++) {
      const member = members[pick(members.length)];
      const one = raw[pick(raw.length)];
      const target = member?.held[pick(member.held.length)]?.id ?? 1;
      const fate = chance();
      if (fate < 0.6) member?.say(`${room} ${member.id} ${step}`);
      else if (fate < 0.7) one?.member.say(`${room} again ${step}`, pick(1_000));
      else if (fate < 0.78) member?.edit(target, `edited ${step}`);
      else if (fate < 0.84) member?.remove(target);
      else if (fate < 0.9) one?.member.cut();
      else if (fate < 0.96) one?.move(urlOf(pick(2)).replace("http:", "ws:"));
      else if (fate < 0.97) typed[pick(typed.length)]?.reenter();
      else if (fate < 0.985) one?.member.leave();
      else one?.member.join(false);
      await Bun.sleep(chance() * PAUSE_MS_MAX);
    }
    await killing;

    let log: MessageFrame[] = [];
    const isDone = async (): Promise<boolean> => {
      for (const { member } of raw) member.join(false);
      if (!members.every((member) => member.isIn())) return false;
      if (!typed.every((member) => member.isAnswered())) return false;
      log = await readLog(urlOf(0), room);
      return members.every((member) => member.reached() === log.length);
    };
    const late = await until(isDone, SETTLING_MS_MAX).then(
      () => [],
      () => members.map((one) => `${one.id} is at ${one.reached()}, in: ${one.isIn()}`),
    );
    const wrong = differences(log, members);
    for (const { id, texts } of typed) {
      for (const [text, sent] of texts) {
        const found = log.filter((one) => one.offset === sent.offset && one.id === sent.id);
        // Its text may have been removed since.
        const isThere = found.length === 1 && ["", text].includes(found[0]?.text ?? "?");
        if (!isThere || log.filter((one) => one.text === text && one.kind === "text").length > 1) {
          wrong.push(`what typed member ${id} said is not in the log once: ${text}`);
        }
      }
    }
    const other = await readLog(urlOf(1), room);
    if (JSON.stringify(other) !== JSON.stringify(log)) wrong.push("the processes tell two logs");
    for (const member of [...typed, ...raw]) member.close();
    const what = plan.map(({ what }) => ["first", "second", "redis"][what]).join(" and ");
    console.log(`${room}: killed ${what}; ${log.length} messages`);
    return [...wrong, ...late];
  };

  return {
    live,
    dispose: async () => {
      for (const server of servers) await server.dispose();
      await redis.dispose();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** All of a room's log, as HTTP tells it. */
async function readLog(url: string, room: string): Promise<MessageFrame[]> {
  const log: MessageFrame[] = [];
  for (let after: number | null = 0; after !== null;) {
    const address = `${url}/v1/rooms/${encodeURIComponent(room)}/messages?after=${after}&limit=100`;
    const response = await fetch(address);
    if (!response.ok) throw new Error(`the log was not read: ${response.status}`);
    const page = (await response.json()) as {
      messages: Omit<MessageFrame, "type">[];
      next: number | null;
    };
    for (const message of page.messages) log.push({ type: "message", ...message });
    after = page.next;
  }
  return log;
}
