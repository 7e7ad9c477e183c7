import type { ErrorFrame } from "../realtime/refusal.ts";

// One socket of the server, kept alive: it comes back by itself, with a token that is still good.

export type ConnectionState = "connecting" | "open" | "waiting" | "closed";

/** Who connects. */
export interface Identity {
  /** Such as `ws://127.0.0.1:3000`, with the path that the server stands below, if it does. */
  url: string;
  /** A token; asked for again at each connection and before it expires, so it may be short-lived. */
  token?: () => string | Promise<string>;
  /** In open mode: who to be. Without either, a guest that stays the same over breaks. */
  userId?: number;
  name?: string;
}

/** A frame as it came; its `type` says what else it holds. */
export interface AnyFrame {
  type: string;
}

export interface ConnectionOptions {
  identity: Identity;
  /** The socket's path, such as `/v1/ws/chat`. */
  path: string;
  /** The server's first frame, such as `welcome`; the connection is open when it has come. */
  greeting: string;
  /** The network is through; some protocols speak before the server does. */
  onThrough?(): void;
  onFrame(frame: AnyFrame): void;
  /** Whether a normal close is the end; a protocol may not have wanted it. Yes, unless it says no. */
  isDone?(): boolean;
  /** It broke; after a final break it does not come back. */
  onBroken(isFinal: boolean): void;
  /** `error` says why, when the server said so. */
  onState?(state: ConnectionState, error: ErrorFrame | null): void;
}

export interface Connection {
  state(): ConnectionState;
  /** What the server refused last on this connection. */
  lastError(): ErrorFrame | null;
  /** Is dropped unless there is a connection: whoever needs it asks again after the next opening. */
  send(frame: object): void;
  sendBytes(bytes: Uint8Array<ArrayBuffer>): void;
  /** Bytes that were sent and have not left this machine. */
  unsentBytes(): number;
  /** Runs `act` in a while, unless the connection is closed before. */
  later(delayMs: number, act: () => void): void;
  /** The same, unless it breaks before: what is done at its opening has made up for it. */
  laterHere(delayMs: number, act: () => void): void;
  /** Ends it for good. */
  close(): void;
}

/** What greetings hold that concerns the connection. */
interface Greeting extends AnyFrame {
  guest_token?: string;
  /** Unix milliseconds. */
  expires_at?: number;
}

export const RETRY_MS_MIN = 200;
const RETRY_MS_MAX = 10_000;
const PING_EVERY_MS = 20_000;
/** A connection that says nothing for so long after a ping is given up. */
const SILENT_MS_MAX = 10_000;
/** A guest's token that a healthy server has refused so often is thrown away. */
const REFUSED_GUEST_MAX = 3;
/** After these there is no use in coming back as the same. */
const FINAL_CLOSES = [4400, 4401, 4403, 4409];
const NORMAL_CLOSE = 1000;
/** The token has expired, which a new one may mend. */
const UNAUTHORIZED = 4401;
/** A token is renewed so long before it expires, and not more often than this. */
const RENEW_EARLY_MS = 30_000;
const RENEW_EVERY_MS_MIN = 5_000;

function below(url: string, path: string): URL {
  return new URL(url.replace(/\/+$/, "") + path);
}

/** Connects, and keeps connecting, until `close`. */
export function keepConnected(options: ConnectionOptions): Connection {
  const { identity, path, greeting } = options;
  let socket: WebSocket | null = null;
  let state: ConnectionState = "connecting";
  let guestToken: string | null = null;
  let refusedGuest = 0;
  let tries = 0;
  let lastError: ErrorFrame | null = null;
  let heardAt = 0;
  const timers = new Set<ReturnType<typeof setTimeout>>();

  const later = (delayMs: number, act: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      act();
    }, delayMs);
    timers.add(timer);
  };

  const laterHere = (delayMs: number, act: () => void): void => {
    const here = socket;
    later(delayMs, () => {
      if (socket === here) act();
    });
  };

  const enter = (next: ConnectionState): void => {
    state = next;
    options.onState?.(next, lastError);
  };

  const connect = async (): Promise<void> => {
    enter("connecting");
    const token = (await identity.token?.()) ?? guestToken;
    if (state === "closed") return;
    const address = below(identity.url, path);
    if (token === null && identity.userId !== undefined) {
      address.searchParams.set("user_id", String(identity.userId));
    }
    if (token === null && identity.name !== undefined) {
      address.searchParams.set("name", identity.name);
    }
    const protocols = token === null ? ["earshot.v1"] : ["earshot.v1", `bearer.${token}`];
    const opened = new WebSocket(address, protocols);
    socket = opened;
    let wasOpen = false;
    opened.addEventListener("open", () => {
      wasOpen = true;
      refusedGuest = 0;
      if (socket === opened) options.onThrough?.();
    });
    opened.addEventListener("message", ({ data }) => {
      if (socket !== opened) return;
      heardAt = Date.now();
      take(JSON.parse(String(data)) as AnyFrame);
    });
    const end = (isFinal: boolean): void => {
      if (socket !== opened) return;
      broken(isFinal);
      if (token !== null && token === guestToken && !wasOpen) void doubtGuestToken();
    };
    opened.addEventListener("close", ({ code }) => {
      const canRenew = code === UNAUTHORIZED && identity.token !== undefined;
      const isDone = code === NORMAL_CLOSE && options.isDone?.() !== false;
      end(isDone || (FINAL_CLOSES.includes(code) && !canRenew));
    });
    // Node says of a socket that could not be opened no more than this; where `close` follows, it has
    // nothing left to do.
    opened.addEventListener("error", () => {
      if (!wasOpen) end(false);
    });
  };

  /**
   * A browser does not say why a socket was refused. When the server is there all the same, it no
   * longer knows this guest, who comes in as a new one.
   */
  const doubtGuestToken = async (): Promise<void> => {
    const health = below(identity.url.replace(/^ws/, "http"), "/healthz");
    const isThere = await fetch(health).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isThere && ++refusedGuest >= REFUSED_GUEST_MAX) guestToken = null;
  };

  const connectOrRetry = (): void => {
    // A token that cannot be had now may be had later.
    connect().catch(() => broken(false));
  };

  const take = (frame: AnyFrame): void => {
    if (frame.type === greeting) {
      tries = 0;
      lastError = null;
      const { guest_token: given, expires_at: expiresAt } = frame as Greeting;
      guestToken = given ?? guestToken;
      renewBefore(expiresAt);
      enter("open");
    }
    if (frame.type === "authenticated") return renewBefore((frame as Greeting).expires_at);
    if (frame.type === "error") lastError = frame as ErrorFrame;
    if (frame.type !== "pong") options.onFrame(frame);
  };

  /** Shows the server a new token in time, so that the old one's end does not break the connection. */
  const renewBefore = (expiresAt: number | undefined): void => {
    const { token } = identity;
    if (expiresAt === undefined || token === undefined) return;
    const inMs = Math.max(RENEW_EVERY_MS_MIN, expiresAt - Date.now() - RENEW_EARLY_MS);
    laterHere(inMs, () => {
      const here = socket;
      const renew = async (): Promise<void> => {
        const renewed = await token();
        if (socket === here) send({ type: "authenticate", token: renewed });
      };
      // Without a new token the server ends the connection, and the next one asks again.
      renew().catch(() => undefined);
    });
  };

  const broken = (isFinal: boolean): void => {
    socket = null;
    options.onBroken(isFinal);
    if (state === "closed") return;
    if (isFinal) {
      clearInterval(heartbeat);
      for (const timer of timers) clearTimeout(timer);
      return enter("closed");
    }
    enter("waiting");
    const longest = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** tries++);
    const told = lastError?.retry_after_ms ?? 0;
    // Spread out, so that all the clients of a server that restarts do not come at once.
    later(Math.max(told, longest / 2 + (Math.random() * longest) / 2), connectOrRetry);
  };

  const send = (frame: object): void => {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
  };

  const heartbeat = setInterval(() => {
    if (socket?.readyState !== WebSocket.OPEN) return;
    const pinged = socket;
    send({ type: "ping" });
    const pingedAt = Date.now();
    laterHere(SILENT_MS_MAX, () => {
      // The socket is dead though nobody has said so: it is left behind and a new one made.
      if (heardAt >= pingedAt) return;
      pinged.close();
      broken(false);
    });
  }, PING_EVERY_MS);

  connectOrRetry();
  return {
    state: () => state,
    lastError: () => lastError,
    send,
    sendBytes: (bytes) => {
      if (socket?.readyState === WebSocket.OPEN) socket.send(bytes);
    },
    unsentBytes: () => socket?.bufferedAmount ?? 0,
    later,
    laterHere,
    close: () => {
      if (state === "closed") return;
      const open = socket;
      broken(true);
      open?.close(NORMAL_CLOSE);
    },
  };
}
