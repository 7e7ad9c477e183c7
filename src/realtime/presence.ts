import { type Log, errorFields } from "../platform/log.ts";
import type { PresenceStore } from "./presence.store.ts";

/** A user as others see it. */
export interface Member {
  id: number;
  name: string;
}

export interface PresenceChange {
  event: "join" | "leave";
  user: Member;
  /** How many users are in the room afterwards. */
  members: number;
}

export interface PresenceDependencies {
  /** What other processes know too; null when this process is alone. */
  store: PresenceStore | null;
  /** Tells every process, this one included, of a change that this process saw. */
  tell(room: string, change: PresenceChange): void;
  leaseMs: number;
  log: Log;
}

/** Who is in which room. A user with several sockets, in several processes, is one member. */
export interface Presence {
  join(room: string, user: Member): Promise<void>;
  leave(room: string, userId: number): Promise<void>;
  /** Members by id, those of other processes included, of a room that somebody here is in. */
  members(room: string): Member[];
  /** The same of any room. */
  membersAnywhere(room: string): Promise<Member[]>;
  /** Brings a told change into this process's view; null when it changes nothing here. */
  apply(room: string, change: PresenceChange): PresenceChange | null;
  /** Compares this process's view of a room with the store and tells what differs. */
  compare(room: string): Promise<void>;
  close(): Promise<void>;
}

interface RoomView {
  /** Sockets of this process by user. */
  sockets: Map<number, number>;
  /** Everybody who has been announced here. */
  members: Map<number, Member>;
  /** Those who were here before the first socket of this process are known. */
  seen: Promise<void>;
}

/**
 * A process holds a lease that it renews three times as often as it must; its members count only as
 * long as the lease lasts. What is announced is always the difference to what was announced before,
 * so a join or leave that is told twice, or found out by comparing, is seen once.
 */
export function createPresence({ store, tell, leaseMs, log }: PresenceDependencies): Presence {
  const views = new Map<string, RoomView>();

  const viewOf = (room: string): RoomView => {
    const known = views.get(room);
    if (known !== undefined) return known;
    const view: RoomView = { sockets: new Map(), members: new Map(), seen: Promise.resolve() };
    view.seen = see(room, view);
    views.set(room, view);
    return view;
  };

  /** The first view of a room is not news to anybody here. */
  const see = async (room: string, view: RoomView): Promise<void> => {
    if (store === null) return;
    for (const member of await ask(store.members(room), [])) {
      if (!view.sockets.has(member.id)) view.members.set(member.id, member);
    }
  };

  const change = (room: string, event: "join" | "leave", user: Member): void => {
    tell(room, { event, user, members: 0 });
  };

  const apply = (room: string, { event, user }: PresenceChange): PresenceChange | null => {
    const view = views.get(room);
    if (view === undefined) return null;
    if (event === "join") {
      if (view.members.has(user.id)) return null;
      view.members.set(user.id, user);
    } else {
      // Somebody who is here has not left, whatever another process says.
      if (view.sockets.has(user.id) || !view.members.delete(user.id)) return null;
    }
    return { event, user, members: view.members.size };
  };

  /** The store's answer, or `otherwise` while it is away: then only this process's members count. */
  const ask = async <T>(asked: Promise<T> | undefined, otherwise: T): Promise<T> => {
    try {
      return (await asked) ?? otherwise;
    } catch (error) {
      log.debug(errorFields(error), "presence is known for this process only");
      return otherwise;
    }
  };

  /** When the store was last found to have lost its memory. */
  let lostAt = Number.NEGATIVE_INFINITY;

  const compare = async (room: string): Promise<void> => {
    const view = views.get(room);
    if (view === undefined || store === null) return;
    const others = await ask<Member[] | null>(store.members(room), null);
    if (others === null) return;
    const there = new Map(others.map((member) => [member.id, member]));
    for (const member of others) if (!view.members.has(member.id)) change(room, "join", member);
    const missing = [...view.members.values()].filter(({ id }) => !there.has(id));
    for (const member of missing.filter(({ id }) => view.sockets.has(id))) {
      // The store lost its memory: those who are here are entered again.
      lostAt = performance.now();
      await ask(store.enter(room, member), undefined);
    }
    // Other processes enter theirs again as well; until they had time to, nobody counts as gone.
    if (performance.now() - lostAt < leaseMs) return;
    for (const member of missing) if (!view.sockets.has(member.id)) change(room, "leave", member);
  };

  let renewing = false;
  const renew = async (): Promise<void> => {
    if (store === null || renewing) return;
    renewing = true;
    await ask(store.renew(), undefined);
    for (const room of views.keys()) await compare(room);
    renewing = false;
  };
  const renewal = setInterval(() => void renew(), leaseMs / 3);

  return {
    join: async (room, user) => {
      const view = viewOf(room);
      const sockets = view.sockets.get(user.id) ?? 0;
      view.sockets.set(user.id, sockets + 1);
      if (sockets > 0) return;
      if (store !== null) {
        await ask(store.enter(room, user), undefined);
        await view.seen;
      }
      change(room, "join", user);
    },
    leave: async (room, userId) => {
      const view = views.get(room);
      const sockets = view?.sockets.get(userId);
      if (view === undefined || sockets === undefined) return;
      if (sockets > 1) {
        view.sockets.set(userId, sockets - 1);
        return;
      }
      view.sockets.delete(userId);
      const user = view.members.get(userId);
      const isElsewhere = store !== null && (await ask(store.leave(room, userId), false));
      const cameBack = view.sockets.has(userId);
      if (user !== undefined && !isElsewhere && !cameBack) change(room, "leave", user);
      // Another leave may have ended this view already, and a join made a new one.
      if (view.sockets.size === 0 && views.get(room) === view) views.delete(room);
    },
    members: (room) => byId(views.get(room)?.members.values() ?? []),
    membersAnywhere: async (room) =>
      byId(views.get(room)?.members.values() ?? (await ask(store?.members(room), []))),
    apply,
    compare,
    close: async () => {
      clearInterval(renewal);
      if (store !== null) await ask(store.end(), undefined);
    },
  };
}

function byId(members: Iterable<Member>): Member[] {
  return [...members].sort((a, b) => a.id - b.id);
}
