import type { Attempts } from "./attempts.ts";
import type { Allowance } from "../platform/rate.ts";
import type { Caller } from "./caller.ts";

/** How often each user may do something, and all guests together. */
export interface Allowances {
  user: Allowance;
  guests: Allowance;
}

/** Counts what callers do. */
export interface Quota {
  /** Takes one; 0 when it was there, else in how many milliseconds there will be one. */
  take(caller: Caller): Promise<number>;
  /** Gives one back, because it should not count. */
  giveBack(caller: Caller): Promise<void>;
}

/** Makes what counts by key; what is counted under one name is counted for all processes together. */
export type Count = (name: string, allowance: Allowance) => Attempts;

const ALL_GUESTS = "guests";

/**
 * A quota for each user, and one for all guests: a guest is somebody new whenever it likes, so that one
 * for each would be none.
 */
export function createQuota(count: Count, name: string, { user, guests }: Allowances): Quota {
  const users = count(name, user);
  const together = count(`${name} of guests`, guests);
  const place = ({ role, userId }: Caller): [Attempts, string] =>
    role === "guest" ? [together, ALL_GUESTS] : [users, String(userId)];
  return {
    take: (caller) => {
      const [attempts, key] = place(caller);
      return attempts.take(key);
    },
    giveBack: (caller) => {
      const [attempts, key] = place(caller);
      return attempts.giveBack(key);
    },
  };
}

/** Whether what one takes is missing to the other. */
export function shareQuota(one: Caller, other: Caller): boolean {
  const areGuests = one.role === "guest" && other.role === "guest";
  return areGuests || one.userId === other.userId;
}
