// Members who talk at a steady pace and go where they are sent. Started by crowd.ts, and gone with
// whoever started it.

import type { MessageFrame } from "../../src/features/chat/model.ts";
import type { CrowdAnswer, CrowdReport, CrowdWish, HeardMessage } from "./crowd.ts";
import { linkMember } from "./model-connected.ts";
import { type Member, createMember } from "./model-member.ts";

/** Each member says something so often, spread evenly over all of them. */
const SAY_EVERY_MS = 5_000;
const TICK_MS = 20;
const LOOK_EVERY_MS = 10;

interface Talker {
  room: string;
  member: Member;
  said: number;
}

const [firstText = "", countText = "", ...rooms] = process.argv.slice(2);
const talkers = Array.from({ length: Number(countText) }, (_, at): Talker => {
  const id = Number(firstText) + at;
  const room = rooms[id % rooms.length] ?? "";
  return { room, member: createMember(room, id), said: 0 };
});
const faults: string[] = [];
const heard = new Map<string, HeardMessage>();
let codes: Record<number, number> = {};
let warned = 0;
let connected = 0;
let saying: ReturnType<typeof setInterval> | null = null;

process.on("disconnect", () => process.exit());
process.on("message", (message: { call: number; wish: CrowdWish }) => void take(message));

async function take({ call, wish }: { call: number; wish: CrowdWish }): Promise<void> {
  let report: CrowdReport | null = null;
  if (wish.name === "enter") await enter(wish.url);
  if (wish.name === "hush") await hush();
  if (wish.name === "left") await when(() => connected === 0);
  if (wish.name === "report") report = tell();
  const answer: CrowdAnswer = { call, report };
  process.send?.(answer);
}

/** Without an end: whoever asked gives up first, and ends this process. */
async function when(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(LOOK_EVERY_MS);
}

async function enter(url: string): Promise<void> {
  for (const { member } of talkers) link(member, url);
  await when(() => talkers.every(({ member }) => member.isIn()));
  sayAgain();
  let due = 0;
  let next = 0;
  saying = setInterval(() => {
    due += (talkers.length * TICK_MS) / SAY_EVERY_MS;
    for (; due >= 1; due--) say(talkers[next++ % talkers.length]);
  }, TICK_MS);
}

function link(member: Member, url: string): void {
  let isWarned = false;
  connected++;
  linkMember(member, url, {
    frame: (frame) => {
      if (frame.type === "error" && frame.code === "draining") isWarned = true;
    },
    closed: (code) => {
      connected--;
      codes[code] = (codes[code] ?? 0) + 1;
      if (isWarned) warned++;
      if (connected === 0 && saying !== null) clearInterval(saying);
    },
  });
}

function say(talker: Talker | undefined): void {
  if (talker?.member.isIn() !== true) return;
  talker.member.say(`${talker.member.id} says ${talker.said}`);
  talker.said++;
}

/** What was on its way when a connection ended may have arrived or not. */
function sayAgain(): void {
  for (const { member, said } of talkers) {
    for (const at of unanswered(member, said)) member.say(`${member.id} says ${at}`, at);
  }
}

function unanswered(member: Member, said: number): number[] {
  const all = Array.from({ length: said }, (_, at) => at);
  return all.filter((at) => !member.acknowledged.has(`${member.id}-${at}`));
}

async function hush(): Promise<void> {
  if (saying !== null) clearInterval(saying);
  await when(() => talkers.every(({ member, said }) => member.acknowledged.size === said));
}

function tell(): CrowdReport {
  const reached: Record<string, number> = {};
  for (const { room, member } of talkers) {
    reached[room] = Math.min(reached[room] ?? Number.POSITIVE_INFINITY, member.reached());
    // What was told is let go of: it would be a copy of everything for each member.
    for (const message of member.held.splice(0)) note(room, message);
  }
  const report: CrowdReport = {
    faults: [...faults, ...talkers.flatMap(({ member }) => member.faults)],
    codes,
    warned,
    acknowledged: talkers.flatMap(({ room, member }) =>
      [...member.acknowledged].map(([clientId, sent]) => ({
        room,
        userId: member.id,
        clientId,
        ...sent,
      })),
    ),
    heard: [...heard.values()],
    reached,
  };
  heard.clear();
  codes = {};
  warned = 0;
  return report;
}

/** Notes a message once, and when two members were told two things. */
function note(room: string, { epoch, offset, id, client_id, user, text }: MessageFrame): void {
  const message = { room, epoch, offset, id, clientId: client_id, userId: user.id, text };
  const key = `${room} ${offset}`;
  const known = heard.get(key);
  if (known === undefined) heard.set(key, message);
  else if (!Bun.deepEquals(known, message)) faults.push(`two messages are at ${key}`);
}
