import type { Static } from "@sinclair/typebox";
import type { ServerWebSocket } from "bun";
import { asProblem } from "../http/errors.ts";
import { checkWhole } from "../http/json-text.ts";
import type { Identity } from "../http/caller.ts";
import type { Visitor } from "../http/guard.ts";
import { type Log, errorFields } from "../platform/log.ts";
import type { RateLimit } from "../platform/rate.ts";
import { type RawFrame, commonFrames, createFrameReader, parseFrame, refOf } from "./frames.ts";
import { Inbox, type InboxOwner } from "./inbox.ts";
import { CLOSE, type CloseCode, type Ref, Refusal, type RefusalCode } from "./refusal.ts";

/** One wire protocol on one socket. Its methods run one at a time, in the order frames came. */
export interface Protocol {
  frame(frame: RawFrame): void | Promise<void>;
  binary(bytes: Uint8Array): void | Promise<void>;
  /**
   * The server stops: finish what is under way, or what can be within the time. The socket is closed
   * with 1012 afterwards.
   */
  drain(withinMs: number): void | Promise<void>;
  /** The socket is gone; runs once, after the frames that came before. */
  closed(): void | Promise<void>;
}

export interface SocketLimits {
  textFrameBytesMax: number;
  binaryFrameBytesMax: number;
  /** A socket that sends nothing for so long is closed with 4408. */
  idleMs: number;
  /** Whether binary frames count for the rate; sound has limits of its own. */
  isBinaryRated: boolean;
}

/** One socket, as protocols see it. */
export interface Connection {
  readonly id: string;
  readonly visitor: Visitor;
  send(frame: object): void;
  /** Sends the `error` frame, then closes if the refusal says so. */
  refuse(error: unknown, ref?: Ref): void;
  close(code: CloseCode): void;
  follow(topic: string): void;
  unfollow(topic: string): void;
  isOpen(): boolean;
}

/** What all connections of a process have in common. */
export interface SharedDependencies {
  verify(token: string): Promise<Identity | null>;
  /** How fast the text frames of one socket may come, by its id. */
  rate: RateLimit;
  newId(): string;
  now(): number;
  /** Is told of every `error` frame that is sent. */
  onRefused?(code: RefusalCode): void;
  log: Log;
}

/** Bytes sent that the client has not taken; past it the socket is closed with 1013. */
export const UNSENT_BYTES_MAX = 1024 * 1024;
/** A socket that lives longer is asked to come back; nothing else renews what it was let in with. */
export const LIFETIME_MS = 86_400_000;
/** Frames over the rate, less those within it, before the socket is closed. */
const REFUSED_FRAMES_MAX = 500;
/** Of a frame over the rate so much is read to find its `ref`. */
const OVER_RATE_BYTES_READ = 16 * 1024;

/** Frames that every socket answers, whatever its protocol. */
const commonClientFrames = [commonFrames.Ping, commonFrames.Authenticate];
type CommonFrame = Static<(typeof commonClientFrames)[number]>;
const readCommon = createFrameReader(commonClientFrames);

function isCommon({ type }: RawFrame): boolean {
  return type === "ping" || type === "authenticate";
}

/**
 * A class, unlike the rest of the house, as are protocols with many sockets: ten thousand idle ones
 * share its methods, where closures would be made anew for each.
 */
export class SocketConnection implements Connection, InboxOwner {
  readonly id: string;
  readonly visitor: Visitor;
  private readonly protocol: Protocol;
  private readonly inbox: Inbox;
  private readonly openedAt: number;
  private heardAt: number;
  private expiresAt: number | null;
  private sessionId: number | null;
  private refusedFrames = 0;
  private open = true;
  private isFull = false;

  constructor(
    private readonly socket: ServerWebSocket<unknown>,
    private readonly shared: SharedDependencies,
    private readonly limits: SocketLimits,
    visitor: Visitor,
    openProtocol: (connection: Connection) => Protocol,
  ) {
    this.id = shared.newId();
    this.visitor = visitor;
    this.openedAt = performance.now();
    this.heardAt = this.openedAt;
    this.expiresAt = visitor.expiresAt;
    this.sessionId = visitor.sessionId ?? null;
    this.inbox = new Inbox(this);
    this.protocol = openProtocol(this);
  }

  isOpen(): boolean {
    return this.open;
  }

  send(frame: object): void {
    if (!this.open) return;
    // Who is being answered is not idle, though it may have nothing to say.
    this.heardAt = performance.now();
    this.socket.sendText(JSON.stringify(frame));
  }

  refuse(error: unknown, ref?: Ref): void {
    const refusal = asRefusal(error);
    if (refusal === null) {
      this.shared.log.error({ connection: this.id, ...errorFields(error) }, "a frame failed");
    }
    const told = refusal ?? new Refusal("internal", "the server could not do this; it was logged");
    this.shared.onRefused?.(told.code);
    this.send(told.frame(ref));
    if (told.extras.close !== undefined) this.close(told.extras.close);
  }

  close(code: CloseCode): void {
    if (!this.open) return;
    this.open = false;
    // Nothing more is answered, so what still waits is not worked on either.
    this.inbox.clear();
    if (this.socket.isPaused) this.socket.resume();
    this.socket.close(code);
  }

  follow(topic: string): void {
    if (this.open) this.socket.subscribe(topic);
  }

  unfollow(topic: string): void {
    if (this.open) this.socket.unsubscribe(topic);
  }

  /** Takes a frame from the wire. */
  receive(message: string | Uint8Array): void {
    if (!this.open) return;
    this.heardAt = performance.now();
    const isText = typeof message === "string";
    const bytes = isText ? message.length : message.byteLength;
    const bytesMax = isText ? this.limits.textFrameBytesMax : this.limits.binaryFrameBytesMax;
    if (bytes > bytesMax) {
      const detail = `a ${isText ? "text" : "binary"} frame may have ${bytesMax} bytes`;
      this.refuse(new Refusal("frame_too_large", detail, { close: CLOSE.frameTooLarge }));
    } else {
      this.inbox.take(message, bytes);
    }
  }

  /** After the frames before it: `Protocol.drain`, the error frame `draining`, and the close. */
  drain(withinMs: number): Promise<void> {
    return this.after(async () => {
      await this.protocol.drain(withinMs);
      this.turnAway();
    });
  }

  /** The server stops, and waits for nothing any more: the error frame `draining`, and the close. */
  turnAway(): void {
    if (!this.open) return;
    const detail = "the server is stopping; come back";
    this.refuse(new Refusal("draining", detail, { close: CLOSE.draining }));
  }

  /** The socket is gone. After the frames before it: `Protocol.closed`. */
  gone(): Promise<void> {
    this.open = false;
    return this.after(() => this.protocol.closed());
  }

  /** The session of an account that it was let in with, or renewed by; null when there is none. */
  session(): number | null {
    return this.sessionId;
  }

  /** What it was let in with is worth nothing any more. */
  expire(detail: string): void {
    this.refuse(new Refusal("session_expired", detail, { close: CLOSE.unauthorized }));
  }

  /** Looked at once a second: idle, expired and slow sockets are closed. */
  inspect(): void {
    if (!this.open) return;
    // Not the time of day: whoever sets the clock would cut every socket at once.
    const now = performance.now();
    if (this.expiresAt !== null && this.shared.now() >= this.expiresAt) {
      this.expire("the token has expired");
    } else if (now - this.heardAt > this.limits.idleMs) {
      const detail = `nothing was heard for ${this.limits.idleMs} ms`;
      this.refuse(new Refusal("idle_timeout", detail, { close: CLOSE.idle }));
    } else if (this.isSlow()) {
      const detail = "more is unsent than this server holds; come back and recover";
      this.refuse(new Refusal("overloaded", detail, { close: CLOSE.slowConsumer }));
    } else if (now - this.openedAt > LIFETIME_MS) {
      const detail = "this socket has lived long enough; come back";
      this.refuse(new Refusal("draining", detail, { close: CLOSE.draining }));
    }
  }

  /** Whether too much was unsent twice in a row: one large answer alone makes nobody slow. */
  private isSlow(): boolean {
    const wasFull = this.isFull;
    this.isFull = this.socket.getBufferedAmount() > UNSENT_BYTES_MAX;
    return wasFull && this.isFull;
  }

  // The inbox's side.

  async work(message: string | Uint8Array): Promise<void> {
    if (typeof message === "string") return this.workText(message);
    try {
      if (this.limits.isBinaryRated) {
        const retryAfterMs = this.shared.rate.take(this.id);
        if (retryAfterMs > 0) this.refuseFrame(retryAfterMs);
      }
      await this.protocol.binary(message);
    } catch (error) {
      this.refuse(error);
    }
  }

  pause(): void {
    if (this.open) this.socket.pause();
  }

  resume(): void {
    if (this.open && this.socket.isPaused) this.socket.resume();
  }

  overflow(): void {
    const detail = "more frames wait than this server holds";
    this.refuse(new Refusal("overloaded", detail, { close: CLOSE.bufferLimit }));
  }

  private async workText(message: string): Promise<void> {
    let ref: Ref | undefined;
    try {
      // Rubbish counts as well; a large frame over the rate is not even looked at.
      const retryAfterMs = this.shared.rate.take(this.id);
      const isOver = retryAfterMs > 0;
      if (isOver && message.length > OVER_RATE_BYTES_READ) this.refuseFrame(retryAfterMs);
      const frame = parseFrame(message);
      ref = refOf(frame);
      checkWhole(message, frame);
      if (isOver) this.refuseFrame(retryAfterMs);
      // One that is in time makes up for one that was not; a flood has one in between as well.
      this.refusedFrames = Math.max(0, this.refusedFrames - 1);
      if (isCommon(frame)) await this.answer(readCommon(frame));
      else await this.protocol.frame(frame);
    } catch (error) {
      this.refuse(error, ref);
    }
  }

  private refuseFrame(retryAfterMs: number): never {
    const isFlood = ++this.refusedFrames > REFUSED_FRAMES_MAX;
    throw new Refusal("rate_limited", "frames come faster than the limit", {
      retryAfterMs,
      ...(isFlood ? { close: CLOSE.rate } : {}),
    });
  }

  private async answer(frame: CommonFrame): Promise<void> {
    const { type, ref } = frame;
    if (type === "ping") return this.send({ type: "pong", ...withRef(ref) });
    const identity = await this.shared.verify(frame.token);
    if (identity === null) {
      throw new Refusal("unauthorized", "the token is not valid or has expired");
    }
    const { userId, role } = this.visitor.caller;
    if (identity.caller.userId !== userId || identity.caller.role !== role) {
      throw new Refusal("forbidden", "the token belongs to another user, or to another role");
    }
    this.expiresAt = identity.expiresAt;
    this.sessionId = identity.sessionId ?? null;
    this.send({ type: "authenticated", expires_at: this.expiresAt, ...withRef(ref) });
  }

  /** Does something when all frames before it are done. Never rejects. */
  private after(turn: () => void | Promise<void>): Promise<void> {
    return this.inbox.after(async () => {
      try {
        await turn();
      } catch (error) {
        const fields = { connection: this.id, ...errorFields(error) };
        this.shared.log.error(fields, "a socket did not end cleanly");
      }
    });
  }
}

export function withRef(ref: Ref | undefined): { ref?: Ref } {
  return ref === undefined ? {} : { ref };
}

const REFUSALS_FOR_PROBLEMS: Record<string, RefusalCode> = {
  unauthorized: "unauthorized",
  forbidden: "forbidden",
  not_found: "not_found",
  rate_limited: "rate_limited",
  draining: "draining",
  queue_full: "overloaded",
  internal: "internal",
};

/** A service's problem in a socket's words; null for an error that is ours. */
function asRefusal(error: unknown): Refusal | null {
  if (error instanceof Refusal) return error;
  const problem = asProblem(error);
  if (problem === null) return null;
  const code = REFUSALS_FOR_PROBLEMS[problem.code] ?? "bad_request";
  const { retryAfterMs } = problem.extras;
  return new Refusal(code, problem.message, retryAfterMs === undefined ? {} : { retryAfterMs });
}
