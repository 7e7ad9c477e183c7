import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Database as Sqlite } from "bun:sqlite";
import { join } from "node:path";
import { createAccountStore } from "../../../src/features/accounts/account.store.ts";
import { createErasure } from "../../../src/features/accounts/erasure.ts";
import { openDatabase } from "../../../src/platform/database.ts";
import { createLog } from "../../../src/platform/log.ts";
import { type LoggedIn, PASSWORD, addAccount, login } from "../../support/accounts.ts";
import { type TestApp, postJson, startTestApp, until } from "../../support/app.ts";
import { openSocket } from "../../support/socket.ts";
import { speakInto } from "../../support/spoken.ts";

const SECRET = "the secret of these tests, long enough";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ JWT_SECRET: SECRET, RATE_LIMITS: "off" });
});
afterAll(() => app.stop());

/** Places of transcriptions, and how many revisions each has. */
const REVISED: [number, number][] = [
  [0, 25],
  [1, 1],
  [499, 10],
  [500, 10],
  [1_319, 3],
];

const ANY_ID_AND_TIME = { id: expect.any(Number) as number, at: expect.any(Number) as number };

type Headers = Record<string, string>;

const erase = (headers: Headers, password: string): Promise<Response> =>
  fetch(`${app.url}/v1/auth/me`, {
    method: "DELETE",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ password }),
  });

const takeAlong = async (headers: Headers): Promise<Record<string, Record<string, unknown>[]>> => {
  const answer = await fetch(`${app.url}/v1/auth/me/export`, { headers });
  expect(answer.headers.get("content-disposition")).toContain("attachment");
  return (await answer.json()) as never;
};

const messagesOf = async (room: string, headers: Headers): Promise<Record<string, unknown>[]> => {
  const answer = await fetch(`${app.url}/v1/rooms/${room}/messages`, { headers });
  return ((await answer.json()) as { messages: Record<string, unknown>[] }).messages;
};

/** An account that is signed in and has said and saved something. */
async function settle(name: string): Promise<LoggedIn & { id: number }> {
  const id = await addAccount(app, name);
  const tokens = await login(app, name);
  const { headers } = tokens;
  for (const transcription of [`${name} one`, `${name} two`]) {
    const body = { user_id: id, language: "en", transcription };
    await postJson(`${app.url}/v1/transcriptions/save`, body, headers);
  }
  for (const room of ["lobby", "garden"]) {
    for (const client of ["a", "b"]) {
      const body = { client_id: client, text: `${name} in ${room} ${client}` };
      await postJson(`${app.url}/v1/rooms/${room}/messages`, body, headers);
    }
  }
  return { ...tokens, id };
}

describe("an export", () => {
  test("holds everything of its account and nothing of another's", async () => {
    const ada = await settle("exported ada");
    await settle("exported bob");
    const { account, sessions, transcriptions, messages, ...rest } = await takeAlong(ada.headers);
    expect(rest).toEqual({ revisions: [], kept_messages: [], rooms: [], reads: [] });
    expect(account as unknown).toEqual({
      id: ada.id,
      name: "exported ada",
      role: "user",
      created_at: expect.any(Number),
    });
    expect(sessions).toMatchObject([{ current: true }]);
    expect(transcriptions?.map(({ transcription }) => transcription)).toEqual([
      "exported ada one",
      "exported ada two",
    ]);
    expect(messages?.map(({ room, text }) => `${String(room)}: ${String(text)}`)).toEqual([
      "lobby: exported ada in lobby a",
      "lobby: exported ada in lobby b",
      "garden: exported ada in garden a",
      "garden: exported ada in garden b",
    ]);
  });

  test("holds what waits, what edits replaced, its rooms, and how far it has read", async () => {
    const ada = await settle("complete ada");
    const bob = await settle("complete bob");
    for (const { id, headers } of [ada, bob]) {
      const socket = await openSocket(`${app.wsUrl}/v1/ws/transcription`, { headers });
      for (const audio of ["first", "second"]) {
        socket.send({ user_id: id, language: "en", audio: `${audio} of ${id}` });
        await socket.next();
      }
      socket.close();
      const url = `${app.url}/v1/transcriptions`;
      const [one] = (await (await fetch(url, { headers })).json()) as { id: number }[];
      for (const [field, value] of [
        ["transcription", "edited"],
        ["title", "a title"],
        ["transcription", "edited again"],
      ] as const) {
        await fetch(`${url}/${one?.id}`, {
          method: "PATCH",
          headers: { "content-type": "application/json", ...headers },
          body: JSON.stringify({ [field]: value }),
        });
      }
      const chat = await openSocket(`${app.wsUrl}/v1/ws/chat?room=lobby`, { headers });
      await chat.next("joined");
      chat.send({ type: "read", room: "lobby", offset: 2 });
      chat.send({ type: "ping" });
      await chat.next("pong");
      chat.close();
    }
    await makeRoom(ada, "complete own", true);
    await makeRoom(bob, "complete other", true);
    await makeRoom(bob, "complete shut", false);
    await letIn(bob, "complete other", ada);
    await fetch(`${app.url}/v1/rooms/complete%20shut/members/${ada.id}`, {
      method: "DELETE",
      headers: bob.headers,
    });

    const all = await takeAlong(ada.headers);
    expect(all["kept_messages"]).toEqual([
      { message_id: expect.any(String), language: "en", audio: `first of ${ada.id}` },
      { message_id: expect.any(String), language: "en", audio: `second of ${ada.id}` },
    ]);
    const id = all["transcriptions"]?.[0]?.["id"];
    const common = { transcription_id: id, user_id: ada.id, segment_id: null };
    expect(all["revisions"]).toEqual([
      { ...common, what: "transcription", text: "complete ada one", ...ANY_ID_AND_TIME },
      { ...common, what: "title", text: null, ...ANY_ID_AND_TIME },
      { ...common, what: "transcription", text: "edited", ...ANY_ID_AND_TIME },
    ]);
    const at = expect.any(Number) as number;
    expect(all["rooms"]).toEqual([
      {
        room: "complete own",
        private: true,
        owned: true,
        membership: null,
        at: null,
        created_at: at,
      },
      {
        room: "complete other",
        private: true,
        owned: false,
        membership: "invited",
        at,
        created_at: at,
      },
      {
        room: "complete shut",
        private: false,
        owned: false,
        membership: "removed",
        at,
        created_at: at,
      },
    ]);
    expect(all["reads"]).toEqual([{ room: "lobby", offset: 2 }]);
  });

  test("of very much comes whole, in order", async () => {
    const id = await addAccount(app, "prolific");
    const { headers } = await login(app, "prolific");
    const sqlite = new Sqlite(join(app.folder, "earshot.db"));
    sqlite.run("INSERT INTO rooms (name, epoch, head, created_at) VALUES ('mill', 'e', 1500, 1)");
    const add = sqlite.prepare(
      `INSERT INTO messages (room_id, offset, client_id, user_id, user_name, kind, text, at)
        VALUES ((SELECT id FROM rooms WHERE name = 'mill'), ?, ?, ?, 'prolific', 'text', ?, 1)`,
    );
    const save = sqlite.prepare(
      `INSERT INTO transcriptions (user_id, transcription, language, created_at, updated_at)
        VALUES (?, ?, 'en', 1, 1)`,
    );
    sqlite.transaction(() => {
      for (let i = 1; i <= 1_500; i++) {
        // The ids of clients are in no order.
        add.run(i, String((i * 7_919) % 1_511), i % 3 === 0 ? 1 : id, `number ${i}`);
        if (i <= 120) save.run(id, `number ${i} ${"x".repeat(2_000)}`);
        if (i > 200) continue;
        sqlite.run("INSERT INTO rooms (name, epoch, created_at, owner_id) VALUES (?, 'e', 1, ?)", [
          `mill ${i}`,
          id,
        ]);
        sqlite.run(
          "INSERT INTO reads (room_id, user_id, offset) SELECT id, ?, ? FROM rooms WHERE name = ?",
          [id, i, `mill ${i}`],
        );
      }
      // More transcriptions than are looked at in one go, and revisions of few: of the first, of the last.
      for (let i = 1; i <= 1_200; i++) save.run(id, "");
      const own = sqlite
        .query<{ id: number }, []>(`SELECT id FROM transcriptions WHERE user_id = ${id}`)
        .all();
      const revise = sqlite.prepare(
        `INSERT INTO revisions (transcription_id, user_id, at, what, text)
          VALUES (?, ${id}, 1, 'transcription', ?)`,
      );
      for (const [place, count] of REVISED) {
        for (let i = 0; i < count; i++) revise.run(own[place]?.id ?? 0, `${place} ${i}`);
      }
    })();
    sqlite.close();
    const { transcriptions, messages, revisions, rooms, reads } = await takeAlong(headers);
    expect(transcriptions).toHaveLength(1_320);
    expect(revisions?.map(({ text }) => text)).toEqual(
      REVISED.flatMap(([place, count]) => Array.from({ length: count }, (_, i) => `${place} ${i}`)),
    );
    const named = Array.from({ length: 200 }, (_, i) => `mill ${i + 1}`);
    expect(rooms?.map(({ room }) => room)).toEqual(named);
    expect(reads?.map(({ room }) => room)).toEqual(named);
    const numbers = messages?.map(({ text }) => Number(String(text).split(" ")[1])) ?? [];
    expect(numbers).toEqual(Array.from({ length: 1_500 }, (_, i) => i + 1).filter((i) => i % 3));

    expect((await erase(headers, PASSWORD)).status).toBe(204);
    const left = new Sqlite(join(app.folder, "earshot.db"));
    const count = (text: string): unknown => left.query(`SELECT count(*) AS n ${text}`).get();
    expect(
      count(`FROM messages WHERE user_id = ${id} AND (text <> '' OR user_name <> '')`),
    ).toEqual({ n: 0 });
    expect(count("FROM messages WHERE user_id = 1 AND text <> ''")).toEqual({ n: 500 });
    expect(count(`FROM transcriptions WHERE user_id = ${id}`)).toEqual({ n: 0 });
    left.close();
  });
});

describe("erasing an account", () => {
  test("hands its private rooms to whoever was let in longest ago", async () => {
    const settled = async (name: string): Promise<Person> => {
      const id = await addAccount(app, name);
      return { ...(await login(app, name)), id };
    };
    const owner = await settled("parting");
    const other = await settled("parting too");
    const younger = await settled("younger");
    const elder = await settled("elder");
    await makeRoom(owner, "handed on", true);
    for (const one of [other, younger, elder]) await letIn(owner, "handed on", one);
    const sqlite = new Sqlite(join(app.folder, "earshot.db"));
    for (const { id, at } of [
      { id: other.id, at: 1 },
      { id: elder.id, at: 2 },
    ]) {
      sqlite.run("UPDATE room_members SET at = ? WHERE user_id = ?", [at, id]);
    }
    sqlite.close();
    // An account that is closed gets nothing, though it was let in first, nor one that was sent out.
    await makeRoom(owner, "kept by nobody", true);
    await letIn(owner, "kept by nobody", elder);
    await fetch(`${app.url}/v1/rooms/kept%20by%20nobody/members/${elder.id}`, {
      method: "DELETE",
      headers: owner.headers,
    });
    await makeRoom(owner, "public", false);
    await letIn(owner, "public", elder);
    await makeRoom(elder, "the elder's", true);
    await postJson(
      `${app.url}/v1/rooms/handed%20on/messages`,
      { client_id: "a", text: "of the elder" },
      elder.headers,
    );
    expect((await erase(other.headers, PASSWORD)).status).toBe(204);
    expect((await erase(owner.headers, PASSWORD)).status).toBe(204);

    const ownerOf = async (room: string): Promise<unknown> => {
      const rooms = (await (
        await fetch(`${app.url}/v1/rooms`, { headers: (await admin()).headers })
      ).json()) as { room: string; owner_id: number }[];
      return rooms.find((one) => one.room === room)?.owner_id;
    };
    expect(await ownerOf("handed on")).toBe(elder.id);
    expect(await ownerOf("the elder's")).toBe(elder.id);
    expect(await ownerOf("kept by nobody")).toBe(owner.id);
    expect(await ownerOf("public")).toBe(owner.id);

    // The new owner decides there; the younger one only talks.
    expect(await letIn(younger, "handed on", { id: 77 })).toBe(403);
    expect(await letIn(elder, "handed on", { id: 77 })).toBe(204);
    expect(await messagesOf("handed%20on", younger.headers)).toMatchObject([
      { text: "of the elder", user: { id: elder.id } },
    ]);
    // A room without anybody is an admin's to open again, and whoever is let in is only a member.
    expect(await letIn(elder, "kept by nobody", elder)).toBe(403);
    expect(await letIn(await admin(), "kept by nobody", younger)).toBe(204);
    expect(await letIn(younger, "kept by nobody", elder)).toBe(403);
  });

  test("needs its password, and changes nothing without", async () => {
    const { id, headers } = await settle("hesitant");
    const answer = await erase(headers, "wrong horse");
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
      403,
      "forbidden",
    ]);
    const me = await fetch(`${app.url}/v1/auth/me`, { headers });
    expect(await me.json()).toMatchObject({ id });
    expect((await takeAlong(headers))["messages"]).toHaveLength(4);
  });

  test("takes everything with it, of nobody else, and frees the name", async () => {
    const [gone, stays] = [await settle("leaving"), await settle("staying")];
    const other = await login(app, "leaving");
    const kept = await openSocket(`${app.wsUrl}/v1/ws/transcription`, { headers: gone.headers });
    kept.send({ user_id: gone.id, language: "en", audio: "waiting to be saved" });
    await kept.next();
    const chat = await openSocket(`${app.wsUrl}/v1/ws/chat?room=lobby`, { headers: other.headers });
    const speech = speakInto(app);
    const live = await speech.begin(gone.id);
    await live.say({ text: "still speaking", startMs: 0, endMs: 900 });

    expect((await erase(gone.headers, PASSWORD)).status).toBe(204);
    for (const socket of [kept, chat]) {
      expect(await socket.next("error")).toMatchObject({ code: "session_expired" });
      expect((await socket.closed).code).toBe(4401);
    }
    for (const { headers, refresh_token: token } of [gone, other]) {
      expect((await fetch(`${app.url}/v1/auth/me`, { headers })).status).toBe(401);
      const again = await postJson(`${app.url}/v1/auth/refresh`, { refresh_token: token });
      expect(again.status).toBe(401);
    }
    const back = await postJson(`${app.url}/v1/auth/login`, {
      name: "leaving",
      password: PASSWORD,
    });
    expect(back.status).toBe(401);

    // What is said from now on is kept nowhere: its session is gone.
    await live.say({ text: "to nobody", startMs: 900, endMs: 1_800 });
    const tables = ["transcriptions", "speech_sessions", "auth_sessions", "reads", "room_members"];
    for (const table of tables) {
      const rows = speech.database.db.all(`SELECT * FROM ${table} WHERE user_id = ${gone.id}`);
      expect([table, rows]).toEqual([table, []]);
    }
    expect(speech.database.db.all("SELECT * FROM segments WHERE text LIKE '%leaving%'")).toEqual(
      [],
    );
    expect(speech.database.db.all(`SELECT * FROM users WHERE id = ${gone.id}`)).toEqual([
      {
        id: gone.id,
        name: null,
        name_key: null,
        password_hash: null,
        role: "user",
        created_at: expect.any(Number),
        closed_at: expect.any(Number),
        erased_at: null,
      },
    ]);
    await speech.close();

    // The history has no hole, and the others' words are where they were.
    const messages = await messagesOf("lobby", stays.headers);
    const mine = messages.filter(({ text }) => String(text).startsWith("staying"));
    expect(mine).toHaveLength(2);
    const emptied = messages.filter(({ user }) => (user as { id: number }).id === gone.id);
    expect(emptied).toMatchObject([
      { text: "", user: { name: "" } },
      { text: "", user: { name: "" } },
    ]);
    const all = await takeAlong(stays.headers);
    expect([all["transcriptions"]?.length, all["messages"]?.length]).toEqual([2, 4]);
    const search = await fetch(`${app.url}/v1/transcriptions/search?q=leaving`, {
      headers: (await admin()).headers,
    });
    expect(await search.json()).toMatchObject({ results: [] });

    const next = await addAccount(app, "leaving");
    expect(next).toBeGreaterThan(gone.id);
    const { headers } = await login(app, "leaving");
    const listed = await fetch(`${app.url}/v1/transcriptions`, { headers });
    expect(await listed.json()).toEqual([]);
    const saving = postJson(`${app.url}/v1/transcription/save`, { user_id: next }, headers);
    expect((await saving).status).toBe(404);
    const theirs = { user_id: gone.id };
    const kept2 = postJson(`${app.url}/v1/transcription/save`, theirs, (await admin()).headers);
    expect((await kept2).status).toBe(404);
  });
});

type Person = LoggedIn & { id: number };

async function makeRoom({ headers }: Pick<Person, "headers">, room: string, isPrivate: boolean) {
  const answer = await postJson(`${app.url}/v1/rooms`, { room, private: isPrivate }, headers);
  expect(answer.status).toBe(201);
}

/** The status of an invitation. */
async function letIn(
  { headers }: Pick<Person, "headers">,
  room: string,
  { id }: Pick<Person, "id">,
): Promise<number> {
  const path = `/v1/rooms/${encodeURIComponent(room)}/members/${id}`;
  return (await fetch(app.url + path, { method: "POST", headers })).status;
}

let known: LoggedIn | null = null;
async function admin(): Promise<LoggedIn> {
  if (known === null) await addAccount(app, "the admin", "admin");
  return (known ??= await login(app, "the admin"));
}

test("an erasure that was cut off is finished by a later round, and looked at once more", async () => {
  const database = openDatabase(":memory:");
  const store = createAccountStore(database);
  const account = { name: "x", key: "x", passwordHash: "h", role: "user" as const, at: 0 };
  const { id = 0 } = (await store.add(account)) ?? {};
  let time = 1_000;
  await store.close(id, "h", time);
  const erased: [string, number][] = [];
  let mustFail = true;
  let round = (): void => undefined;
  const lines: string[] = [];
  const erasure = createErasure({
    store,
    belongings: {
      words: {
        // eslint-disable-next-line require-yield
        read: async function* () {
          await Promise.resolve();
        },
        erase: async (userId) => {
          if (mustFail) throw new Error("the disk is full");
          erased.push(["words", userId]);
          await Promise.resolve();
        },
      },
    },
    now: () => time,
    log: createLog("error", (line) => lines.push(line)),
    every: (_, run) => {
      round = run;
      return () => undefined;
    },
  });
  await until(() => lines.length === 1);
  expect(lines[0]).toContain("the disk is full");
  mustFail = false;
  round();
  await until(() => erased.length === 1);
  expect(await store.leaving()).toEqual([{ id, closedAt: 1_000 }]);
  // Whatever was on its way then has arrived by now.
  time += 60_000;
  round();
  await until(async () => (await store.leaving()).length === 0);
  expect(erased).toEqual([
    ["words", id],
    ["words", id],
  ]);
  await erasure.close(10_000);
  await database.close();
});
