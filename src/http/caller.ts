/** Who asks. Every service takes one, in open mode too. */
export interface Caller {
  userId: number;
  /** `guest` is whoever comes in while the door is open: it may act for anyone on this machine. */
  role: "user" | "admin" | "guest";
  name: string;
}

/**
 * A program that came with an API key. It is nobody's account and so no `Caller`: what belongs to users
 * cannot be reached by it, since no service that asks for a `Caller` takes one.
 */
export interface KeyCaller {
  /** Below zero: limits count each key on its own, and nothing belongs to it. */
  userId: number;
  role: "key";
  name: string;
}

/** A caller and how long it may be believed. */
export interface Identity {
  caller: Caller;
  /** Unix milliseconds; null when it does not expire. */
  expiresAt: number | null;
  /** The session of an account that it belongs to, and ends with. */
  sessionId?: number;
}

/** Whether the caller may read and write what belongs to `userId`. */
export function mayActFor(caller: Caller, userId: number): boolean {
  return caller.role !== "user" || caller.userId === userId;
}
