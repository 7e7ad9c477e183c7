import { Database as Sqlite } from "bun:sqlite";
import { expect } from "bun:test";
import { join } from "node:path";
import { type TestApp, postJson, until } from "../support/app.ts";
import { type TestSocket, openSocket } from "../support/socket.ts";
import { hasVosk } from "../support/sound.ts";
import { cut, speech, written } from "../support/speaker.ts";
import { speakInto } from "../support/spoken.ts";

// A private room with everything in it that a room can have, and its members.

export const ROOM = "the hidden vault";
export const OWNER = "Ottokar Geheim";
export const MEMBER = "Mechthild Verborgen";
/** Words of the room, of which nobody outside may be shown any. */
export const WORDS = {
  first: "wolpertinger",
  edited: "rasselbock",
  removed: "elwetritsch",
  place: "Reykjavik",
  caption: "hanghuhn",
  title: "dilldapp",
};
export const SECRETS = [ROOM, OWNER, MEMBER, ...Object.values(WORDS)];
/** What the world may know, so that it is seen that something is shown at all. */
export const KNOWN_PLACE = "Nairobi";

export type Headers = Record<string, string>;

/** A way in: what a request brings, and what it says in its address. */
export interface Spy {
  headers: Headers;
  query: string;
}

/** Ids of what belongs to the room; guessing them is no art. */
export interface Ids {
  owner: number;
  spy: number;
  message: number;
  transcription: number;
}

export const inPath = (room: string, rest: string): string =>
  `/v1/rooms/${encodeURIComponent(room)}${rest}`;

/** The frame's answer: its type, or the code of the error. */
export async function ask(socket: TestSocket, frame: object): Promise<string> {
  const ref = crypto.randomUUID();
  socket.send({ ...frame, ref });
  await until(() => socket.frames.some((one) => one["ref"] === ref));
  const answer = socket.frames.find((one) => one["ref"] === ref) ?? {};
  return String(answer.type === "error" ? answer["code"] : answer.type);
}

export interface Person {
  id: number;
  headers: Headers;
  query: string;
}

/** Fills the room with everything that a room can have. */
export async function fillRoom(app: TestApp, owner: Person, member: Person): Promise<Ids> {
  const url = (path: string, { query }: Person): string =>
    `${app.url}${path}${query === "" ? "" : `?${query}`}`;
  const made = await postJson(
    url("/v1/rooms", owner),
    { room: ROOM, private: true },
    owner.headers,
  );
  expect(made.status).toBe(201);
  await postJson(url(inPath(ROOM, `/members/${member.id}`), owner), {}, owner.headers);
  const say = async (who: Person, room: string, text: string): Promise<number> => {
    const body = { client_id: crypto.randomUUID(), text };
    const answer = await postJson(url(inPath(room, "/messages"), who), body, who.headers);
    expect(answer.status).toBe(201);
    return ((await answer.json()) as { id: number }).id;
  };
  const text = `Angela Merkel went to ${WORDS.place} with a ${WORDS.first}.`;
  const message = await say(owner, ROOM, text);
  const other = await say(member, ROOM, `The ${WORDS.removed} is gone.`);
  await fetch(url(inPath(ROOM, `/messages/${message}`), owner), {
    method: "PATCH",
    headers: { "content-type": "application/json", ...owner.headers },
    body: JSON.stringify({ text: `${text} And a ${WORDS.edited}.` }),
  });
  await fetch(url(inPath(ROOM, `/messages/${other}`), owner), {
    method: "DELETE",
    headers: owner.headers,
  });
  const transcription = await speakIn(app, owner.id);
  await say(member, "the market", `Angela Merkel went to ${KNOWN_PLACE}.`);
  return { owner: owner.id, spy: 0, message, transcription };
}

/** A transcription of the room, and its caption there, as a process that died leaves them. */
async function speakIn(app: TestApp, userId: number): Promise<number> {
  const { begin, close } = speakInto(app);
  const live = await begin(userId, "en", WORDS.title);
  const text = `the ${WORDS.caption} of ${WORDS.place}`;
  await live.say({ text, startMs: 0, endMs: 900 }, text);
  await live.end();
  await close();
  const sqlite = new Sqlite(join(app.folder, "earshot.db"));
  sqlite.run("UPDATE transcriptions SET room = ? WHERE id = ?", [ROOM, live.id]);
  sqlite.run("INSERT INTO pending_captions VALUES ('left-1', ?, ?, ?, ?, 1)", [
    ROOM,
    userId,
    OWNER,
    text,
  ]);
  sqlite.close();
  await until(() => {
    const database = new Sqlite(join(app.folder, "earshot.db"), { readonly: true });
    const { n } = database
      .query<{ n: number }, []>("SELECT count(*) AS n FROM messages WHERE kind = 'caption'")
      .get() ?? { n: 0 };
    database.close();
    return n > 0;
  });
  return live.id;
}

export const chatOf = (app: TestApp, { query, headers }: Spy): Promise<TestSocket> =>
  openSocket(`${app.wsUrl}/v1/ws/chat${query === "" ? "" : `?${query}`}`, { headers });

/** Everything that members do while somebody listens who may not. */
export async function liveIn(app: TestApp, owner: Person, member: Person): Promise<void> {
  const [one, other] = [await chatOf(app, owner), await chatOf(app, member)];
  expect(await ask(one, { type: "join", room: ROOM })).toBe("joined");
  expect(await ask(other, { type: "join", room: ROOM })).toBe("joined");
  await one.next("presence");
  other.send({ type: "typing", room: ROOM });
  await one.next("typing");
  const text = `${WORDS.first} ${WORDS.place}`;
  other.send({ type: "say", room: ROOM, client_id: crypto.randomUUID(), text });
  const { id } = await other.next("sent");
  expect(await ask(other, { type: "edit", room: ROOM, id, text: WORDS.edited })).toBe("sent");
  expect(await ask(other, { type: "remove", room: ROOM, id })).toBe("sent");
  other.send({ type: "read", room: ROOM, offset: 1 });
  expect(await ask(other, { type: "history", room: ROOM, after: 0 })).toBe("history");
  if (hasVosk) await speakLive(app, member, one);
  expect(await ask(other, { type: "leave", room: ROOM })).toBe("left");
  await one.next("presence");
  for (const socket of [one, other]) socket.close();
}

/** Real speech into the room; what was heard may not be heard outside either. */
async function speakLive(app: TestApp, speaker: Person, inside: TestSocket): Promise<void> {
  const query = speaker.query === "" ? "" : `?${speaker.query}`;
  const { headers } = speaker;
  let socket: TestSocket;
  for (;;) {
    socket = await openSocket(`${app.wsUrl}/v1/ws/transcription${query}`, { headers });
    socket.send({ type: "start", language: "en", room: ROOM });
    if ((await socket.next()).type === "ready") break;
    await socket.closed;
    await Bun.sleep(100);
  }
  for (const frame of cut(written(speech(0, 4_000)))) socket.sendRaw(frame);
  socket.send({ type: "stop" });
  await socket.next("done", 30_000);
  await inside.next("caption");
  await until(() => inside.frames.some(({ kind, text }) => kind === "caption" && text !== ""));
}
