import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Server, type Socket, connect, createServer } from "node:net";
import { type CaptionsListener, connectCaptions } from "../../src/client/captions.ts";
import { type TestApp, until } from "../support/app.ts";
import { type ListeningService, startListeningApp } from "../support/listening.ts";
import { hasVosk, recording } from "../support/sound.ts";

setDefaultTimeout(30_000);

const WAV_HEADER_BYTES = 44;
const RATE_HZ = 16_000;
const PARK_MS = 600;
const START = { language: "en", sample_rate: RATE_HZ, endpointing_ms: 300 } as const;

type Final = Parameters<NonNullable<CaptionsListener["final"]>>[0];
type Ready = Parameters<NonNullable<CaptionsListener["ready"]>>[0];

/** A line to the app that breaks when it is told to. */
interface Line {
  url: string;
  /** Ends every connection; new ones are refused until `mend`. */
  cut(): void;
  mend(): void;
  stop(): void;
}

async function startLine(port: number): Promise<Line> {
  const ends = new Set<Socket>();
  let isCut = false;
  const server: Server = createServer((near) => {
    if (isCut) return void near.destroy();
    const far = connect(port, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      ends.add(one);
      one.on("data", (bytes) => other.write(bytes));
      one.on("error", () => undefined);
      one.on("close", () => {
        ends.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const own = typeof address === "object" ? (address?.port ?? 0) : 0;
  return {
    url: `ws://127.0.0.1:${own}`,
    cut: () => {
      isCut = true;
      for (const end of ends) end.destroy();
    },
    mend: () => {
      isCut = false;
    },
    stop: () => {
      for (const end of ends) end.destroy();
      server.close();
    },
  };
}

/** What a client was told. */
function takeNotes() {
  const finals: Final[] = [];
  const readies: Ready[] = [];
  const refusals: string[] = [];
  /** How often it was told what the server has. */
  let told = 0;
  const listener: CaptionsListener = {
    ready: (ready) => void readies.push(ready),
    final: (final) => void finals.push(final),
    refused: ({ code }) => void refusals.push(code),
    progress: () => void told++,
  };
  return { finals, readies, refusals, listener, told: () => told };
}

describe.skipIf(!hasVosk)("a client that captions (needs the recogniser)", () => {
  const samples = new Int16Array(recording().slice(WAV_HEADER_BYTES).buffer);
  const lengthMs = Math.floor((samples.length * 1_000) / RATE_HZ);
  let app: TestApp;
  let service: ListeningService;
  let line: Line;

  const part = (from: number, to: number): Int16Array =>
    samples.slice(samples.length * from, samples.length * to);

  beforeAll(async () => {
    ({ app, service } = await startListeningApp({ SPEECH_PARK_MS: String(PARK_MS) }));
    line = await startLine(app.port);
  });
  afterAll(async () => {
    line.stop();
    await app.stop();
  });

  test("loses no sound and tells nothing twice however often the line breaks", async () => {
    const { finals, readies, listener } = takeNotes();
    const client = connectCaptions({ url: line.url, userId: 1, start: START, listener });
    for (const at of [0, 1, 2, 3]) {
      await until(() => readies.length === at + 1);
      client.send(part(at / 5, (at + 1) / 5));
      line.cut();
      // What is said while the line is down waits for it.
      client.send(part((at + 1) / 5, (at + 1) / 5 + 0.02));
      client.send(part((at + 1) / 5 + 0.02, (at + 1) / 5));
      line.mend();
      if (at < 3) continue;
      client.send(part(4 / 5 + 0.02, 1));
    }
    const done = await client.stop();
    // Each cut repeats two hundredths, except the last, which goes on from them.
    expect(done).toMatchObject({ reason: "stop" });
    expect(Math.abs((done?.duration_ms ?? 0) - lengthMs * 1.06)).toBeLessThan(2);
    expect(readies.map(({ resumed }) => resumed)).toEqual([false, true, true, true, true]);
    const numbers = finals.map(({ seq }) => seq);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(finals.length).toBe(done?.segments ?? 0);
  });

  test("begins anew with what the server has not got when it was away for too long", async () => {
    const { finals, readies, listener, told } = takeNotes();
    const client = connectCaptions({ url: line.url, userId: 2, start: START, listener });
    client.send(part(0, 0.6));
    // What it was not told of, it would say again.
    await until(() => finals.length > 0 && told() > 0);
    line.cut();
    client.send(part(0.6, 1));
    // Its time runs out, and what it left is finished.
    await until(async () => {
      const rows = await (await fetch(`${app.url}/v1/transcriptions?user_id=2`)).json();
      const own = (rows as { user_id: number; status: string }[]).filter(
        (row) => row.user_id === 2,
      );
      return own.some(({ status }) => status === "done");
    });
    line.mend();
    const done = await client.stop();
    expect(readies.at(-1)).toMatchObject({ resumed: false });
    expect(new Set(readies.map(({ session_id }) => session_id)).size).toBe(2);
    expect(done?.reason).toBe("stop");
    // The two of them have everything once.
    const rows = await (await fetch(`${app.url}/v1/transcriptions?user_id=2`)).json();
    const own = (rows as { user_id: number; duration_ms: number }[]).filter(
      ({ user_id }) => user_id === 2,
    );
    const heardMs = own.reduce((sum, row) => sum + row.duration_ms, 0);
    expect(Math.abs(heardMs - lengthMs)).toBeLessThan(2);
  });

  test("waits for a service that is down, and says why", async () => {
    service.be("down");
    const { finals, refusals, listener } = takeNotes();
    const client = connectCaptions({ url: line.url, userId: 3, start: START, listener });
    client.send(samples);
    await until(() => refusals.includes("overloaded"));
    expect(finals).toEqual([]);
    service.be("well");
    const done = await client.stop();
    expect(done).toMatchObject({ reason: "stop", duration_ms: lengthMs });
    expect(finals.length).toBe(done?.segments ?? 0);
  });

  test("is told at once what can never be, and ends", async () => {
    const { refusals, listener } = takeNotes();
    const start = { ...START, sample_rate: 1 };
    const client = connectCaptions({ url: line.url, userId: 4, start, listener });
    expect(await client.stop()).toBeNull();
    expect(refusals).toEqual(["bad_request"]);
  });
});
