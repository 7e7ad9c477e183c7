import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type LoggedIn, addAccount, login } from "../support/accounts.ts";
import { type TestApp, postJson } from "../support/app.ts";
import { type Frame, type SocketOptions, type TestSocket, openSocket } from "../support/socket.ts";
import { hasVosk } from "../support/sound.ts";
import { cut, speech, startHearingApp, written } from "../support/speaker.ts";

setDefaultTimeout(60_000);

// That another user who only states the id finds nothing is in the tests of resuming.

const SOUND = cut(written(speech(0, 4_000)));

describe.skipIf(!hasVosk)(
  "whoever has stolen the id of a transcription session (needs the recogniser)",
  () => {
    let app: TestApp;
    let victim: LoggedIn & { id: number };
    let thief: LoggedIn & { id: number };
    beforeAll(async () => {
      app = await startHearingApp({
        JWT_SECRET: "the secret of these tests, long enough",
        RATE_LIMITS: "off",
        SPEECH_WORKERS: "1",
      });
      const settle = async (name: string): Promise<LoggedIn & { id: number }> => {
        const id = await addAccount(app, name);
        return { id, ...(await login(app, name)) };
      };
      victim = await settle("victim");
      thief = await settle("thief");
    });
    afterAll(() => app.stop());

    const open = (options: SocketOptions, query = ""): Promise<TestSocket> =>
      openSocket(`${app.wsUrl}/v1/ws/transcription${query}`, options);

    /** The first answer to a frame; the socket is closed. */
    const attempt = async (socket: TestSocket, frame: object): Promise<Frame> => {
      socket.send(frame);
      const answer = await socket.next();
      socket.close();
      await socket.closed;
      expect(socket.frames).toHaveLength(1);
      return answer;
    };

    const begin = async (): Promise<{ socket: TestSocket; id: string; transcription: number }> => {
      const socket = await open({ headers: victim.headers });
      socket.send({ type: "start", language: "en" });
      const ready = await socket.next("ready");
      for (const frame of SOUND) socket.sendRaw(frame);
      return {
        socket,
        id: String(ready["session_id"]),
        transcription: Number(ready["transcription_id"]),
      };
    };

    test("hears nothing of it, whoever they say they are, while it lives, waits and is over", async () => {
      const { socket: first, id, transcription } = await begin();
      await first.next("partial", 30_000);
      const resume = { session_id: id, after_seq: 0 };
      const missing = { session_id: crypto.randomUUID(), after_seq: 0 };
      const stated = `?user_id=${victim.id}&name=victim`;

      const tryAll = async (): Promise<void> => {
        const { headers } = thief;
        const frames: [object, string][] = [
          [{ type: "start", resume }, "not_found"],
          [{ type: "start", resume, user_id: victim.id }, "not_found"],
          [{ type: "start", resume, user_id: thief.id, language: "en" }, "not_found"],
          [{ type: "start", resume, name: "victim" }, "bad_request"],
          [{ type: "start", resume: { ...resume, user_id: victim.id } }, "bad_request"],
          [{ type: "start", language: "en", user_id: victim.id }, "forbidden"],
        ];
        for (const [frame, code] of frames) {
          const answer = await attempt(await open({ headers }), frame);
          expect([frame, answer]).toMatchObject([frame, { type: "error", code }]);
          expect(JSON.stringify(answer)).not.toContain(id);
        }
        // Word for word what is said of a session that never was.
        const [theirs, nobodys] = [
          await attempt(await open({ headers }), { type: "start", resume }),
          await attempt(await open({ headers }), { type: "start", resume: missing }),
        ];
        expect(theirs).toEqual(nobodys);
        // Stating who one is opens no socket beside a token, and none without.
        for (const options of [
          { headers },
          { protocols: ["earshot.v1", `bearer.${thief.access_token}`] },
          {},
        ]) {
          expect(await open(options, stated).catch(() => null)).toBeNull();
        }
        // Nor does a token of the victim's for a socket that is the thief's turn it into the victim's.
        const socket = await open({ headers });
        socket.send({ type: "authenticate", token: victim.access_token });
        expect(await socket.next("error")).toMatchObject({
          code: expect.stringMatching(/forbidden|unauthorized/),
        });
        socket.close();
        for (const [method, path] of [
          ["GET", ""],
          ["GET", "/export?format=txt"],
          ["GET", "/revisions"],
          ["DELETE", ""],
        ] as const) {
          const url = `${app.url}/v1/transcriptions/${transcription}${path}`;
          const { status } = await fetch(url, { method, headers });
          expect([method, path, status]).toEqual([method, path, 404]);
        }
      };

      await tryAll();
      expect(first.frames.filter(({ type }) => type === "error")).toEqual([]);
      first.raw.terminate();
      await first.closed;
      await tryAll();

      const back = await open({ headers: victim.headers });
      back.send({ type: "start", resume });
      expect(await back.next("ready")).toMatchObject({ session_id: id, resumed: true });
      back.send({ type: "stop" });
      await back.next("done", 30_000);
      await back.closed;
      await tryAll();
      const kept = await fetch(`${app.url}/v1/transcriptions/${transcription}`, {
        headers: victim.headers,
      });
      expect(await kept.json()).toMatchObject({ session_id: id, user_id: victim.id });
    });

    test("cannot take it with a key, a guest's name or the victim's ended login", async () => {
      const { socket: first, id } = await begin();
      const admin = await addAccount(app, "stolen admin", "admin");
      expect(admin).toBeGreaterThan(0);
      const { headers } = await login(app, "stolen admin");
      const made = await postJson(`${app.url}/v1/keys`, { name: "stolen" }, headers);
      const { key } = (await made.json()) as { key: string };
      const ended = await login(app, "victim");
      await postJson(`${app.url}/v1/auth/logout`, { refresh_token: ended.refresh_token });
      for (const token of [key, ended.access_token, ended.refresh_token, id]) {
        for (const options of [
          { headers: { authorization: `Bearer ${token}` } },
          { headers: { "x-api-key": token } },
          { protocols: ["earshot.v1", `bearer.${token}`] },
        ]) {
          expect(await open(options).catch(() => null)).toBeNull();
        }
      }
      first.send({ type: "stop" });
      await first.next("done", 30_000);
      expect(first.frames.filter(({ type }) => type === "error")).toEqual([]);
    });
  },
);
