import { randomUUID } from "node:crypto";
import * as fc from "fast-check";
import { messageJson } from "../../src/features/chat/dialects/earshot.ts";
import type { MessageFrame } from "../../src/features/chat/model.ts";
import { createChatStore } from "../../src/features/chat/store.ts";
import { openDatabase } from "../../src/platform/database.ts";
import { createClock } from "./model-clock.ts";
import { type Member, createMember, differences } from "./model-member.ts";
import { createNetwork } from "./model-network.ts";
import { DISK_FAILS, type Process, type World, openProcess } from "./model-process.ts";
import { createRandom } from "./random.ts";

// What happens in the simulated world.

const MEMBERS = 4;
/** Quarters of a second of simulated time; what was shouted waits its turn in an inbox for long. */
const SETTLING_LOOKS_MAX = 400;
const DOINGS = {
  say: 12,
  sayAgain: 3,
  shout: 1,
  post: 3,
  edit: 2,
  remove: 2,
  come: 6,
  leave: 2,
  break: 3,
  move: 4,
  die: 1,
  away: 1,
} as const;
type Doing = keyof typeof DOINGS;

interface Step {
  do: Doing;
  who: number;
  where: number;
  pick: number;
  waitMs: number;
}

const doings = Object.entries(DOINGS) as [Doing, number][];
export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    do: fc.oneof(...doings.map(([doing, weight]) => ({ weight, arbitrary: fc.constant(doing) }))),
    who: fc.nat(MEMBERS - 1),
    where: fc.nat(1),
    pick: fc.nat(999),
    waitMs: fc.oneof(fc.nat(30), fc.nat(400)),
  }),
  { minLength: 1, maxLength: 80, size: "max" },
);

/** Lives through the steps; resolves with everything that is wrong in the end. */
export async function simulate(
  path: string,
  room: string,
  seed: number,
  plan: Step[],
): Promise<string[]> {
  const errors: string[] = [];
  const clock = createClock();
  const chance = createRandom(seed);
  const network = createNetwork(clock, chance);
  const world: World = { path, clock, chance, network, errors };
  const processes = [openProcess(world), openProcess(world)];
  const members = Array.from({ length: MEMBERS }, (_, at) => createMember(room, at + 1, true));
  const poster = { userId: 99, name: "poster", role: "user" } as const;
  const posted = createMember(room, poster.userId);
  let posts = 0;

  const post = async (process: Process | undefined): Promise<void> => {
    const clientId = `post ${++posts}`;
    const saying = { clientId, text: clientId, kind: "text" } as const;
    try {
      const message = await process?.service.say(poster, room, saying);
      if (message !== undefined) posted.acknowledged.set(clientId, message);
    } catch {
      // Its process died; whether it was said is open.
    }
  };
  const come = (member: Member, where: number, anew: boolean): void => {
    if (!member.isConnected()) processes[where]?.connect(member);
    member.join(anew);
  };

  const act = async ({ do: doing, who, where, pick }: Step): Promise<void> => {
    const member = members[who];
    if (member === undefined) return;
    const { held } = member;
    const target = held[pick % Math.max(1, held.length)]?.id ?? 1;
    switch (doing) {
      case "say":
        return member.say(`said ${pick}`);
      case "sayAgain":
        return member.say(`said again ${pick}`, pick);
      case "shout":
        // More than one page of the history, now and then.
        for (let i = pick > 800 ? 700 : pick % 100; i > 0; i--) member.say(`shout ${i}`);
        return;
      case "post":
        return void post(processes[where]);
      case "edit":
        return member.edit(target, `edited ${pick}`);
      case "remove":
        return member.remove(target);
      case "come":
        return come(member, where, pick % 5 === 0);
      case "leave":
        return member.leave();
      case "break":
        return member.cut();
      case "move":
        member.cut();
        return come(member, where, false);
      case "die":
        await processes[where]?.die();
        processes[where] = openProcess(world);
        return;
      case "away":
        return network.setAway(pick % 2 === 0);
    }
  };

  for (const step of plan) {
    await act(step);
    await clock.advance(step.waitMs);
  }
  network.heal();
  const entered = members.filter((member) => member.reached() > 0);
  const store = openDatabase(path);
  const reader = createChatStore({ database: store, newId: randomUUID, now: clock.now });
  // Those who are broken come back; for those who are in, a few looks at the database must do.
  for (let look = 0; look < SETTLING_LOOKS_MAX; look++) {
    await clock.advance(250);
    for (const [at, member] of entered.entries()) come(member, at % 2, false);
    const head = await reader.head(room);
    if (look > 4 && entered.every((one) => one.isIn() && one.reached() === head)) break;
  }

  const { epoch } = await reader.room(room);
  const all = await reader.after(room, 0, 1_000_000);
  const kept = all.map((one): MessageFrame => ({ type: "message", ...messageJson(room, one) }));
  const wrong = differences(kept, [...entered, { ...posted, held: kept }]);
  for (const member of entered) if (!member.isIn()) wrong.push(`member ${member.id} is not in`);
  if (kept.some((message) => message.epoch !== epoch)) wrong.push("the epoch changed");
  await store.close();
  for (const process of processes) await process.die();
  const known = [DISK_FAILS, "a room could not be read up to its newest"];
  return [...wrong, ...errors.filter((line) => !known.some((words) => line.includes(words)))];
}
