import type { Session } from "./session.ts";

/** Sessions that wait for their client, each for a while. */
export interface Parking {
  add(session: Session): void;
  /** Its client is back, or it is over. */
  remove(session: Session): void;
  /** How many wait. */
  size(): number;
  clear(): void;
}

/** Sessions of one user that wait; past it the oldest waits no longer. */
const PARKED_PER_USER_MAX = 20;

export function createParking(parkedMs: number, onExpired: (session: Session) => void): Parking {
  const timers = new Map<Session, ReturnType<typeof setTimeout>>();

  const remove = (session: Session): void => {
    clearTimeout(timers.get(session));
    timers.delete(session);
  };

  const expire = (session: Session): void => {
    remove(session);
    onExpired(session);
  };

  return {
    remove,
    size: () => timers.size,
    add: (session) => {
      remove(session);
      const { userId } = session.speaker;
      const others = [...timers.keys()].filter(({ speaker }) => speaker.userId === userId);
      const [oldest] = others;
      if (oldest !== undefined && others.length >= PARKED_PER_USER_MAX) expire(oldest);
      timers.set(
        session,
        setTimeout(() => expire(session), parkedMs),
      );
    },
    clear: () => {
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    },
  };
}
