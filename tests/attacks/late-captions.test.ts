import { afterAll, beforeAll, expect, test } from "bun:test";
import { Database as Sqlite } from "bun:sqlite";
import { join } from "node:path";
import { type LoggedIn, addAccount, login } from "../support/accounts.ts";
import { type TestApp, postJson, startTestApp, until } from "../support/app.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({
    JWT_SECRET: "the secret of these tests, long enough",
    RATE_LIMITS: "off",
    // Rounds that look for captions are as frequent.
    SPEECH_PARK_MS: "500",
  });
});
afterAll(() => app.stop());

/** As a process that died leaves it: spoken and kept, and not in its room. */
function leaveBehind(captions: readonly { text: string; userId: number; room: string }[]): void {
  const sqlite = new Sqlite(join(app.folder, "earshot.db"));
  const add = sqlite.prepare(
    `INSERT INTO pending_captions (segment_id, room, user_id, user_name, text, at)
      VALUES (?, ?, ?, 'somebody', ?, ?)`,
  );
  sqlite.transaction(() => {
    for (const [at, { text, userId, room }] of captions.entries()) {
      add.run(`left-${text}`, room, userId, text, at + 1);
    }
  })();
  sqlite.close();
}

function pending(): number {
  const sqlite = new Sqlite(join(app.folder, "earshot.db"));
  const { n } = sqlite
    .query<{ n: number }, []>("SELECT count(*) AS n FROM pending_captions")
    .get() ?? { n: -1 };
  sqlite.close();
  return n;
}

test("a caption that comes late is said by whoever may be there now, and by nobody else", async () => {
  const settle = async (
    name: string,
    role: "user" | "admin" = "user",
  ): Promise<LoggedIn & { id: number }> => {
    const id = await addAccount(app, name, role);
    return { id, ...(await login(app, name)) };
  };
  const owner = await settle("owner");
  const member = await settle("member");
  const expelled = await settle("expelled");
  // Spoke into a name before the room was made, and was never let in.
  const stranger = await settle("stranger");
  const left = await settle("left");
  const admin = await settle("admin", "admin");
  const room = "late";
  const members = `${app.url}/v1/rooms/${room}/members`;
  const { headers } = owner;
  await postJson(`${app.url}/v1/rooms`, { room, private: true }, headers);
  for (const { id } of [member, expelled, left]) {
    await fetch(`${members}/${id}`, { method: "POST", headers });
  }
  await fetch(`${members}/${expelled.id}`, { method: "DELETE", headers });
  await fetch(`${members}/${left.id}`, { method: "DELETE", headers: left.headers });
  const said = (text: string, { id: userId }: { id: number }) => ({ text, userId, room });
  leaveBehind([
    said("of the admin", admin),
    said("of whoever was sent out", expelled),
    said("of the stranger", stranger),
    said("of whoever has left", left),
    said("of the member", member),
    said("of the owner", owner),
  ]);
  await until(() => pending() === 0);
  const answer = await fetch(`${app.url}/v1/rooms/${room}/messages`, { headers });
  const { messages } = (await answer.json()) as { messages: object[] };
  expect(messages).toHaveLength(3);
  expect({ messages }).toMatchObject({
    messages: [
      { text: "of the admin", kind: "caption", user: { id: admin.id, name: "somebody" } },
      { text: "of the member", user: { id: member.id } },
      { text: "of the owner", user: { id: owner.id } },
    ],
  });
  // Being said late makes nobody an admin.
  const theirs = await fetch(`${members}/${expelled.id}`, {
    method: "POST",
    headers: member.headers,
  });
  expect(theirs.status).toBe(403);
});
