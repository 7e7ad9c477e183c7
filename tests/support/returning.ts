import { expect } from "bun:test";
import { type Frame, type TestSocket } from "./socket.ts";
import { startStream } from "./speaker.ts";

/** A client that breaks off and comes back, as the contract says, until everything is told. */
export interface ReturningClient {
  ready: Frame;
  sessionId: string;
  /** The current socket. */
  socket: TestSocket;
  /** Bytes of sound that were sent, counted from its start. */
  sent(): number;
  /** Sends the sound up to a position. */
  send(upTo: number): void;
  /** Resolves when the server has taken all frames that were sent. */
  taken(): Promise<void>;
  /** Cuts the connection, in the middle of whatever is under way. */
  breakOff(): Promise<void>;
  /** Comes back, here or at another process, and sends from there on where the server is. */
  resume(server?: { wsUrl: string }): Promise<Frame>;
  stop(withinMs?: number): Promise<Frame>;
  /** Every frame of every socket. */
  frames(): Frame[];
  lastSeq(): number;
}

export interface ReturningOptions {
  start?: object;
  /** Sent before the sound, once. */
  header?: Uint8Array<ArrayBuffer>;
  /** How long the next frame is. */
  frameBytes?: () => number;
}

const HEARD_MS_MAX = 25_000;

export async function openReturning(
  server: { wsUrl: string },
  sound: Uint8Array<ArrayBuffer>,
  { start = {}, header, frameBytes = () => 3_200 }: ReturningOptions = {},
): Promise<ReturningClient> {
  const first = await startStream(server, start);
  expect(first.ready).toMatchObject({ type: "ready", resumed: false, received_bytes: 0 });
  const sockets = [first.socket];
  let { socket, ready } = first;
  const sessionId = String(ready["session_id"]);
  if (header !== undefined) socket.sendRaw(header);
  let sent = 0;

  const frames = (): Frame[] => sockets.flatMap((one) => one.frames);
  const lastSeq = (): number =>
    frames().reduce((most, frame) => Math.max(most, Number(frame["seq"] ?? 0)), 0);

  return {
    get ready() {
      return ready;
    },
    get socket() {
      return socket;
    },
    sessionId,
    sent: () => sent,
    send: (upTo) => {
      while (sent < Math.min(upTo, sound.length)) {
        const end = Math.min(sent + frameBytes(), upTo, sound.length);
        socket.sendRaw(sound.slice(sent, end));
        sent = end;
      }
    },
    taken: async () => {
      socket.send({ type: "ping" });
      await socket.next("pong");
    },
    breakOff: async () => {
      socket.raw.terminate();
      await socket.closed;
    },
    resume: async (at = server) => {
      const resume = { session_id: sessionId, after_seq: lastSeq() };
      ({ socket, ready } = await startStream(at, { ...start, resume }));
      sockets.push(socket);
      expect(ready).toMatchObject({ type: "ready", resumed: true, session_id: sessionId });
      const received = Number(ready["received_bytes"]);
      expect(received).toBeLessThanOrEqual(sent);
      sent = received;
      return ready;
    },
    stop: async (withinMs = HEARD_MS_MAX) => {
      socket.send({ type: "stop" });
      const done = await socket.next("done", withinMs);
      expect((await socket.closed).code).toBe(1000);
      return done;
    },
    frames,
    lastSeq,
  };
}

/** What a client has to be told exactly once, whichever of its sockets told it. */
export function finalsOf(frames: readonly Frame[]): object[] {
  return frames
    .filter((frame) => frame.type === "final")
    .map(({ segment_id, text, start_ms, end_ms, words }) => ({
      // Session ids differ, what is counted behind them does not.
      segment: Number(String(segment_id).split("-").at(-1)),
      text,
      start_ms,
      end_ms,
      words,
    }));
}

/** Numbers without a hole, each once, in order. */
export function expectWhole(frames: readonly Frame[]): void {
  const numbers = frames.flatMap((frame) => frame["seq"] ?? []);
  expect(numbers).toEqual(numbers.map((_, at) => at + 1));
}
