import { randomUUID } from "node:crypto";
import { expect, test } from "bun:test";
import { createLog } from "../../src/platform/log.ts";
import { createGateway } from "../../src/realtime/gateway.ts";
import { openSocket } from "../support/socket.ts";

const never = (): Promise<void> => new Promise(() => {});

// However much of it sockets are given, they never get more than there is.
test.each([
  [10, undefined],
  [600_000, 10],
])("a stop turns away with a word whoever does not finish in time", async (withinMs, atMostMs) => {
  const gateway = createGateway({
    tokens: { verify: () => Promise.resolve(null), sign: () => Promise.resolve("") },
    networkOf: () => "here",
    frames: null,
    counts: null,
    now: Date.now,
    newId: randomUUID,
    log: createLog("silent").part("sockets"),
  });
  const limits = {
    textFrameBytesMax: 1_000,
    binaryFrameBytesMax: 1_000,
    idleMs: 60_000,
    isBinaryRated: true,
  };
  const caller = { userId: 1, name: "one", role: "user" } as const;
  const server = Bun.serve({
    port: 0,
    websocket: gateway.websocket,
    fetch: (request, self) =>
      gateway.upgrade(
        request,
        self,
        { caller, expiresAt: null, guestToken: null },
        {
          kind: "chat",
          limits,
          open: () => ({ frame: () => {}, binary: () => {}, drain: never, closed: () => {} }),
        },
      ),
  });
  const socket = await openSocket(`ws://127.0.0.1:${server.port}/`);
  await gateway.stop(withinMs, atMostMs);
  expect((await socket.closed).code).toBe(1012);
  expect(socket.frames).toMatchObject([{ type: "error", code: "draining", retryable: true }]);
  await server.stop(true);
});
