import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type TestApp, postJson, startTestApp } from "../support/app.ts";
import { openSocket } from "../support/socket.ts";

// JSON can write half a character ("\ud800"), which no database and no other text can hold: what would
// be kept is another text than the one that was sent. So it is refused wherever it comes in.

const HALF = "half a \ud800";
const WHOLE = "a whole 😀";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());

describe("half a character", () => {
  test("is refused in every frame, and nothing of it is kept", async () => {
    const chat = await openSocket(`${app.wsUrl}/v1/ws/chat?room=lobby&user_id=5`);
    await chat.next("joined");
    for (const frame of [
      { type: "say", room: "lobby", client_id: "1", text: HALF },
      { type: "say", room: "lobby", client_id: HALF, text: "x" },
      { type: "join", room: HALF },
      { type: "ping", ref: HALF },
      { type: "ping", [HALF]: 1 },
    ]) {
      chat.send({ ref: 7, ...frame });
      const ref = "ref" in frame ? {} : { ref: 7 };
      const refusal = { code: "bad_request", retryable: false, ...ref };
      expect(await chat.next("error")).toMatchObject(refusal);
    }
    chat.send({ type: "say", room: "lobby", client_id: "1", text: WHOLE });
    expect(await chat.next("sent")).toMatchObject({ offset: 1 });
    chat.close();

    const kept = await openSocket(`${app.wsUrl}/v1/ws/transcription?user_id=5`);
    kept.send({ user_id: 5, language: "en", audio: HALF });
    expect(await kept.next("error")).toMatchObject({ code: "bad_request" });
    kept.send({ type: "start", title: HALF });
    expect(await kept.next("error")).toMatchObject({
      code: "bad_request",
      message: "Texts must be whole characters",
    });
    kept.send({ user_id: 5, language: "en", audio: WHOLE });
    expect(await kept.next()).toMatchObject({ text: WHOLE });
    kept.close();
    const saved = await postJson(`${app.url}/v1/transcription/save`, { user_id: 5 });
    expect(await saved.json()).toMatchObject({ transcription: WHOLE });
  });

  test("is refused in every body with 422", async () => {
    const save = `${app.url}/v1/transcriptions/save`;
    const saved = await postJson(save, { user_id: 5, language: "en", transcription: WHOLE });
    const row = (await saved.json()) as { id: number; transcription: string };
    expect(row.transcription).toBe(WHOLE);
    const bodies: [string, string, object][] = [
      ["POST", "/v1/transcriptions/save", { user_id: 5, language: "en", transcription: HALF }],
      ["PATCH", `/v1/transcriptions/${row.id}`, { transcription: HALF }],
      ["PATCH", `/v1/transcriptions/${row.id}`, { title: HALF }],
      ["POST", "/v1/rooms", { room: HALF }],
      ["POST", "/v1/rooms/lobby/messages", { client_id: "2", text: HALF }],
      ["PATCH", "/v1/rooms/lobby/messages/1", { text: HALF }],
      ["POST", "/v1/posts", { content: HALF, publication: "p" }],
      ["POST", "/v1/auth/register", { name: HALF, password: "a long password" }],
      ["POST", "/v1/keys", { name: HALF }],
      ["POST", "/v1/inference", { prompt: HALF }],
    ];
    for (const [method, path, body] of bodies) {
      const answer = await fetch(`${app.url}${path}?user_id=5`, {
        method,
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      const { code } = (await answer.json()) as { code: string };
      expect([path, answer.status, code]).toEqual([path, 422, "invalid"]);
    }
    const text = await (await fetch(`${app.url}/v1/transcriptions/${row.id}?user_id=5`)).json();
    expect(text).toMatchObject({ transcription: WHOLE, title: null });
  });

  test("is refused in the record of a bulk", async () => {
    const posts = [HALF, WHOLE].map((content) => JSON.stringify({ content, publication: "p" }));
    const answer = await fetch(`${app.url}/v1/posts/bulk`, {
      method: "POST",
      body: posts.join("\n"),
    });
    expect(await answer.json()).toMatchObject({
      accepted: 1,
      rejected: [{ line: 1, code: "invalid" }],
    });
  });

  test("is none of a text that only looks like its escape", async () => {
    const text = String.raw`C:\ud800\udead`;
    const answer = await postJson(`${app.url}/v1/rooms/lobby/messages?user_id=5`, {
      client_id: "3",
      text,
    });
    expect(await answer.json()).toMatchObject({ text });
  });
});
