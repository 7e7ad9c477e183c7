import { linkMember } from "../tests/support/model-connected.ts";
import { type Member, createMember } from "../tests/support/model-member.ts";
import { SHARED_AUDIO, hasSharedAudio, recording } from "../tests/support/sound.ts";
import { makePost } from "../tests/support/topics-load.ts";
import type { LoadTold, LoadWish, Measured } from "./mixed-world.ts";
import { conversation, speak } from "./speakers.ts";

// The clients of bench/mixed.ts, in a process of their own, or a share of them. It does what it is told
// through its channel, and ends with whoever started it.

const [url = "", numberText = "0"] = process.argv.slice(2);
const NUMBER = Number(numberText);
const HTTP = url.replace("ws:", "http:");
/** The numbers of users and posts of one process begin this far from those of the next. */
const APART = 10_000_000;

// What comes a second at scale 1.
const MEMBERS = 100;
const RATES = {
  say: 20,
  post: 50,
  search: 1,
  history: 1,
  topics: 1,
  page: 0.2,
  // Who breaks off and comes back, who leaves the room and enters it again, who goes for somebody new.
  break: 1,
  leave: 0.5,
  replace: 0.5,
};
type Kind = keyof typeof RATES;

const ROOM_MEMBERS = 20;
const TEXT_BYTES = 100;
const TICK_MS = 10;
const AWAY_MS = 1_000;
const SPEAK_MS = 20_000;
const ENDPOINTING_MS = 400;
/** Requests under way; what comes past it is not sent and counted as skipped. */
const REQUESTS_MAX = 100;
/** So many values of each kind are told, from the least to the most. */
const TOLD_VALUES = 200;
const PATHS = [
  "/v1/topics?limit=50",
  "/v1/publications",
  "/v1/publications/Reuters/topics?limit=50",
  "/v1/topics/timeline?topic=Paris&label=LOC",
];

interface Seat {
  member: Member;
  link: { cut(): void };
  isWanted: boolean;
}

const seats: Seat[] = [];
const measured = new Map<Measured, number[]>();
const done = new Map<string, number>();
const faults: string[] = [];
let scale = 0;
let people = 0;
let posts = 0;
let requests = 0;
let isOver = false;

/** Of one machine, so that processes agree. */
const wallMs = (): number => performance.timeOrigin + performance.now();
const pick = <Item>(items: readonly Item[]): Item | undefined =>
  items[Math.floor(Math.random() * items.length)];

process.on("disconnect", () => process.exit());
process.on("message", (message: { call: number; wish: LoadWish }) => void take(message));
const due = new Map<Kind, number>();
let tickedAt = performance.now();
const ticking = setInterval(tick, TICK_MS);
const speaking = talk();

async function take({ call, wish }: { call: number; wish: LoadWish }): Promise<void> {
  let told: LoadTold | null = null;
  if (wish.name === "scale") populate(wish.scale);
  if (wish.name === "tell") told = tell();
  if (wish.name === "end") await end();
  process.send?.({ call, told });
}

function populate(to: number): void {
  scale = to;
  const count = Math.round(MEMBERS * scale);
  while (seats.length < count) seats.push(arrive());
  for (const seat of seats.splice(count)) depart(seat);
}

async function end(): Promise<void> {
  isOver = true;
  clearInterval(ticking);
  for (const seat of seats.splice(0)) depart(seat);
  await speaking;
}

function arrive(): Seat {
  const at = people++;
  const room = `talk ${NUMBER}-${Math.floor(at / ROOM_MEMBERS) % roomCount()}`;
  const member = createMember(room, NUMBER * APART + at + 1);
  const seat: Seat = { member, link: { cut: () => {} }, isWanted: true };
  connect(seat);
  return seat;
}

const roomCount = (): number => Math.max(1, Math.round((MEMBERS * scale) / ROOM_MEMBERS));

function connect(seat: Seat): void {
  if (!seat.isWanted) return;
  seat.link = linkMember(seat.member, url, {
    frame: (frame) => {
      if (frame.type === "left") setTimeout(() => seat.member.join(false), Math.random() * AWAY_MS);
      if (frame.type !== "message" || frame.kind !== "text") return;
      count("heard");
      note("message", wallMs() - Number(frame.text.split(" ", 1)[0]));
    },
    closed: () => setTimeout(() => connect(seat), Math.random() * AWAY_MS),
  });
}

function depart(seat: Seat): void {
  seat.isWanted = false;
  seat.link.cut();
  faults.push(...seat.member.faults.splice(0));
}

/** Everything that is due by now, at an even pace however late this is called. */
function tick(): void {
  const now = performance.now();
  const seconds = (now - tickedAt) / 1_000;
  tickedAt = now;
  for (const [kind, rate] of Object.entries(RATES) as [Kind, number][]) {
    let some = (due.get(kind) ?? 0) + rate * scale * seconds;
    for (; some >= 1; some--) act(kind);
    due.set(kind, some);
  }
}

function act(kind: Kind): void {
  const seat = pick(seats);
  switch (kind) {
    case "say":
      count("said");
      return seat?.member.say(`${wallMs()} `.padEnd(TEXT_BYTES, "x"));
    case "break":
      return seat?.link.cut();
    case "leave":
      return seat?.member.leave();
    case "replace":
      if (seat === undefined) return;
      depart(seat);
      seats[seats.indexOf(seat)] = arrive();
      return;
    case "post":
      return void ask("post", "/v1/posts", makePost(NUMBER * APART + posts++));
    case "search": {
      const word = pick(makePost(posts).content.match(/\p{L}{3,}/gu) ?? []) ?? "said";
      return void ask("search", `/v1/transcriptions/search?limit=20&q=${encodeURIComponent(word)}`);
    }
    case "history": {
      const room = encodeURIComponent(`talk ${NUMBER}-${Math.floor(Math.random() * roomCount())}`);
      return void ask("other", `/v1/rooms/${room}/messages?after=0&limit=50`);
    }
    case "topics":
      return void ask("other", pick(PATHS) ?? "");
    case "page":
      return void loadPage();
  }
}

/** Asks, and notes how long the whole answer took; resolves with its text. */
async function ask(kind: Measured, path: string, body?: object): Promise<string> {
  if (requests >= REQUESTS_MAX) {
    count("skipped");
    return "";
  }
  requests++;
  const begunAt = performance.now();
  try {
    const response = await fetch(HTTP + path, {
      headers: { accept: kind === "page" ? "text/html" : "*/*" },
      ...(body !== undefined && {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      }),
    });
    const text = await response.text();
    // A room or topic that nobody has spoken of yet is no fault.
    if (!response.ok && response.status !== 404 && !isOver)
      faults.push(`${path.split("?")[0]}: ${response.status}`);
    note(kind, performance.now() - begunAt);
    count(kind);
    return text;
  } catch (error) {
    // A connection that was idle for its longest, closed by the server in the moment it was used again.
    if (error instanceof Error && "code" in error && error.code === "ECONNRESET") count("resets");
    else if (!isOver) faults.push(`${path.split("?")[0]}: ${String(error)}`);
    return "";
  } finally {
    requests--;
  }
}

/** The page and what it needs, as a browser that has nothing yet. */
async function loadPage(): Promise<void> {
  const html = await ask("page", "/");
  const parts = Array.from(html.matchAll(/(?:src|href)="(\/[^"]+)"/g), ([, path]) => path ?? "");
  await Promise.all(parts.map((path) => ask("page", path)));
}

async function talk(): Promise<void> {
  const sound = hasSharedAudio ? conversation(SHARED_AUDIO) : recording();
  for (let turn = 0; !isOver; turn++) {
    const fromMs = (NUMBER * 7 + turn) * 7_300;
    const seen = await speak({
      url,
      sound,
      fromMs,
      forMs: SPEAK_MS,
      endpointingMs: ENDPOINTING_MS,
    });
    for (const ms of seen.endMs) note("caption", ms);
    for (const ms of seen.partialMs) note("interim", ms);
    if (seen.refused === null) continue;
    count("speakers refused");
    await Bun.sleep(seen.refused);
  }
}

function note(kind: Measured, ms: number): void {
  const values = measured.get(kind) ?? [];
  values.push(ms);
  measured.set(kind, values);
}

function count(what: string): void {
  done.set(what, (done.get(what) ?? 0) + 1);
}

function tell(): LoadTold {
  for (const { member } of seats) {
    faults.push(...member.faults.splice(0));
    // They need none of it any more, and would hold all of it.
    member.held.splice(0);
    member.acknowledged.clear();
  }
  const told: LoadTold = {
    values: Object.fromEntries(Array.from(measured, ([kind, values]) => [kind, thinned(values)])),
    done: Object.fromEntries(done),
    faults: faults.splice(0),
  };
  measured.clear();
  done.clear();
  return told;
}

function thinned(values: readonly number[]): number[] {
  const sorted = values.toSorted((one, other) => one - other);
  if (sorted.length <= TOLD_VALUES) return sorted;
  const step = (sorted.length - 1) / (TOLD_VALUES - 1);
  return Array.from({ length: TOLD_VALUES }, (_, at) => sorted[Math.round(at * step)] ?? 0);
}
