import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Socket, connect } from "node:net";
import { Elysia, t } from "elysia";
import { errorAnswers } from "../../src/http/errors.ts";
import { bodyLimit, limitedBody } from "../../src/http/limits.ts";
import { createLog } from "../../src/platform/log.ts";
import { type TestApp, startTestApp } from "../support/app.ts";

setDefaultTimeout(60_000);

const HOST = "127.0.0.1";
const DRIP_EVERY_MS = 250;
/** What may be without a byte to anybody here; Bun counts in steps of four seconds. */
const IDLE_S = 4;
const BODY_WAIT_MS = 500;

/** A connection that says something at once, and of the rest a byte now and then. */
interface Drip {
  head: string;
  rest: string;
}

/** Drips until the server ends the connection; answers what it had said before. */
function drip(port: number, { head, rest }: Drip): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    let sent = 0;
    const socket: Socket = connect(port, HOST, () => socket.write(head));
    const timer = setInterval(() => {
      const byte = rest[sent++];
      if (byte !== undefined) socket.write(byte);
    }, DRIP_EVERY_MS);
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => (answer += text));
    // A reset is an end as well.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearInterval(timer);
      resolve(answer);
    });
  });
}

/** Asks as others would, again and again, until `work` is done; every one has to be served. */
async function servedMeanwhile<T>(url: string, work: Promise<T>): Promise<T> {
  let isOver = false;
  const over = work.finally(() => (isOver = true));
  let served = 0;
  while (!isOver) {
    const answer = await fetch(url);
    expect(answer.status).toBe(200);
    await answer.text();
    served++;
    await Bun.sleep(100);
  }
  expect(served).toBeGreaterThan(0);
  return over;
}

function header(method: string, path: string, more: readonly string[] = []): string {
  return [`${method} ${path} HTTP/1.1`, `Host: ${HOST}`, ...more].join("\r\n");
}

const ENDLESS = "a".repeat(10_000);

describe("a head that drips", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp();
  });
  afterAll(() => app.stop());

  // How long a head may take, ten seconds, is Bun's own and cannot be set.
  test("is given up without an answer, however often a byte comes; others are served", async () => {
    const socket = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
    const drips: Drip[] = [
      { head: "", rest: "" },
      { head: "", rest: `GET /${ENDLESS}` },
      { head: "GET /healthz HTTP/1.1\r\nHost:", rest: "" },
      { head: `${header("GET", "/healthz")}\r\n`, rest: `X-Long: ${ENDLESS}` },
      { head: `${header("GET", "/healthz")}\r\n`, rest: "X: a\r\n".repeat(1_000) },
      { head: `${header("POST", "/v1/rooms")}\r\n`, rest: `Content-Length: ${ENDLESS}` },
      {
        head: `${header("GET", "/v1/ws/chat", socket)}\r\n`,
        rest: `Sec-WebSocket-Key: ${ENDLESS}`,
      },
    ];
    const many = Array.from({ length: 20 }, () => drips).flat();
    const ended = Promise.all(many.map((one) => drip(app.port, one)));
    const answers = await servedMeanwhile(`${app.url}/healthz`, ended);
    expect(new Set(answers)).toEqual(new Set([""]));
  });
});

describe("a body that drips", () => {
  const json = ["Content-Type: application/json"];
  const told = ["Content-Length: 5000"];
  const chunked = ["Transfer-Encoding: chunked"];
  const spaces: Drip["rest"] = " ".repeat(4_000);
  const chunks = "1\r\n \r\n".repeat(1_000);

  /** What reads bodies, with limits that a test has the time for. */
  const server = new Elysia({ normalize: false })
    .use(errorAnswers(createLog("silent")))
    .use(bodyLimit({ "/streamed": 1_000_000 }))
    .get("/healthz", () => "alive")
    .post("/parsed", ({ body }) => body, { body: t.Object({ content: t.String() }) })
    .post("/streamed", async ({ request }) => {
      let bytes = 0;
      for await (const piece of limitedBody(request, 1_000_000, BODY_WAIT_MS))
        bytes += piece.length;
      return { bytes };
    });
  beforeAll(() => void server.listen({ hostname: HOST, port: 0, idleTimeout: IDLE_S }));
  afterAll(() => server.stop(true));

  const post = (path: string, more: readonly string[], rest: string): Drip => ({
    head: `${header("POST", path, more)}\r\n\r\n`,
    rest,
  });

  const endedAll = (drips: readonly Drip[]): Promise<string[]> => {
    const port = server.server?.port ?? 0;
    const ended = Promise.all(drips.map((one) => drip(port, one)));
    return servedMeanwhile(`http://${HOST}:${port}/healthz`, ended);
  };

  test("and was told to be long is given up; others are served", async () => {
    const drips = ["/parsed", "/streamed"].flatMap((path) =>
      [spaces, ""].map((rest) => post(path, [...json, ...told], rest)),
    );
    const [parsed, silent, streamed, stopped] = await endedAll(drips);
    // The server's own parser leaves nobody to answer; what reads it here says why it stops.
    expect([parsed, silent]).toEqual(["", ""]);
    for (const answer of [streamed, stopped]) expect(answer).toStartWith("HTTP/1.1 408 ");
  });

  test("and comes in chunks is given up; others are served", async () => {
    const drips = [chunks, "1;" + ENDLESS, ""].map((rest) =>
      post("/streamed", [...json, ...chunked], rest),
    );
    for (const answer of await endedAll(drips)) expect(answer).toStartWith("HTTP/1.1 408 ");
  });

  test("to an address that is not there, or without anybody who reads it, holds nothing", async () => {
    const drips = [told, chunked].map((more) =>
      post("/nothing", [...json, ...more], more === told ? spaces : chunks),
    );
    for (const answer of await endedAll(drips)) expect(answer).toStartWith("HTTP/1.1 404 ");
  });
});
