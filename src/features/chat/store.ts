import { and, asc, desc, eq, gt, gte, inArray, isNull, lt, ne, or, sql } from "drizzle-orm";
import { Problem } from "../../http/problem.ts";
import type { Database } from "../../platform/database.ts";
import { messages, reads, room_members, rooms } from "../../schema.ts";
import type { ChatMessage, Room } from "./model.ts";

export interface ChatStore {
  /** The room; a public one comes into being when it is not there yet. */
  room(name: string): Promise<Room>;
  find(name: string): Promise<Room | null>;
  /** Makes a room on purpose; null when there is one already. */
  create(name: string, ownerId: number, isPrivate: boolean): Promise<Room | null>;
  /** Rooms by name after `after` that the user may enter; all of them when `userId` is null. */
  list(userId: number | null, after: string, limit: number): Promise<Room[]>;
  /** The offset of the newest message; 0 when there is no room. */
  head(name: string): Promise<number>;

  /** Adds a message with the room's next offset, or finds the one that was said before. */
  add(name: string, said: NewMessage): Promise<{ message: ChatMessage; isNew: boolean }>;
  /**
   * Adds an edit or removal of a message after `check` has allowed it. Null when there is no such
   * message, or it was removed.
   */
  amend(
    name: string,
    amendment: Amendment,
    check: (authorId: number) => boolean,
  ): Promise<ChatMessage | "forbidden" | null>;
  /** Messages after an offset, oldest first. */
  after(name: string, offset: number, limit: number): Promise<ChatMessage[]>;
  /** The last messages before an offset, oldest first. */
  before(name: string, offset: number, limit: number): Promise<ChatMessage[]>;

  /** What was said in public rooms in rows after `id`, as it was said; null when there are none. */
  saidAfter(id: number, limit: number): Promise<{ reached: number; said: SaidMessage[] } | null>;

  /** What decides whether the user may enter; null when there is no room. */
  access(name: string, userId: number): Promise<RoomAccess | null>;
  setMembership(name: string, userId: number, status: "invited" | "removed"): Promise<void>;
  /** Forgets that the user was let in; one that was sent out stays so. */
  dropInvitation(name: string, userId: number): Promise<void>;
  /** Who was sent out of which room since a time. */
  removedSince(at: number): Promise<{ room: string; userId: number }[]>;
  /** How far the user has read; 0 at first. */
  read(name: string, userId: number): Promise<number>;
  /** Only ever moves forward, and not past the newest message. */
  setRead(name: string, userId: number, offset: number): Promise<void>;
}

/** A message as it was said first. */
export interface SaidMessage {
  id: number;
  room: string;
  text: string;
  at: number;
}

export interface RoomAccess {
  ownerId: number | null;
  isPrivate: boolean;
  /** Whether the user was let in or sent out; null when neither. */
  membership: "invited" | "removed" | null;
}

type NewMessage = Pick<ChatMessage, "clientId" | "user" | "text" | "at"> & {
  kind: "text" | "caption";
};

type Amendment = Pick<ChatMessage, "clientId" | "user" | "text" | "at"> & {
  kind: "edit" | "remove";
  target: number;
};

type RoomRow = typeof rooms.$inferSelect;

export interface ChatStoreDependencies {
  database: Database;
  newId(): string;
  now(): number;
}

/** Rooms and their messages in SQLite, which numbers them. */
export function createChatStore({ database, newId, now }: ChatStoreDependencies): ChatStore {
  const { db, commit } = database;
  const bound = sql.placeholder;

  // Prepared once: these are the path of every message.
  const findRoom = db
    .select()
    .from(rooms)
    .where(eq(rooms.name, bound("name")))
    .prepare();
  const addRoom = db
    .insert(rooms)
    .values({
      name: bound("name"),
      epoch: bound("epoch"),
      created_at: bound("at"),
      owner_id: bound("ownerId"),
      private: bound("isPrivate"),
    })
    .returning()
    .prepare();
  /** Takes the room's next offset. */
  const advance = db
    .update(rooms)
    .set({ head: sql`${rooms.head} + 1` })
    .where(eq(rooms.name, bound("name")))
    .returning({ id: rooms.id, epoch: rooms.epoch, head: rooms.head })
    .prepare();
  const addMessage = db
    .insert(messages)
    .values({
      room_id: bound("room"),
      offset: bound("offset"),
      client_id: bound("clientId"),
      user_id: bound("userId"),
      user_name: bound("userName"),
      kind: bound("kind"),
      target: bound("target"),
      text: bound("text"),
      at: bound("at"),
    })
    .returning({ id: messages.id })
    .prepare();
  const findSaid = db
    .select()
    .from(messages)
    .where(
      and(
        eq(messages.room_id, bound("room")),
        eq(messages.user_id, bound("userId")),
        eq(messages.client_id, bound("clientId")),
      ),
    )
    .prepare();
  const inRoom = eq(messages.room_id, bound("room"));
  const findAfter = db
    .select()
    .from(messages)
    .where(and(inRoom, gt(messages.offset, bound("offset"))))
    .orderBy(asc(messages.offset))
    .limit(bound("limit"))
    .prepare();
  const findBefore = db
    .select()
    .from(messages)
    .where(and(inRoom, lt(messages.offset, bound("offset"))))
    .orderBy(desc(messages.offset))
    .limit(bound("limit"))
    .prepare();
  const findAccess = db
    .select({
      ownerId: rooms.owner_id,
      isPrivate: rooms.private,
      membership: room_members.status,
    })
    .from(rooms)
    .leftJoin(
      room_members,
      and(eq(room_members.room_id, rooms.id), eq(room_members.user_id, bound("userId"))),
    )
    .where(eq(rooms.name, bound("name")))
    .prepare();
  const findRead = db
    .select({ offset: reads.offset })
    .from(reads)
    .innerJoin(rooms, eq(rooms.id, reads.room_id))
    .where(and(eq(rooms.name, bound("name")), eq(reads.user_id, bound("userId"))))
    .prepare();

  const find = (name: string): RoomRow | undefined => findRoom.get({ name });
  const make = (name: string, ownerId: number | null, isPrivate: boolean): RoomRow =>
    // Bound values bypass the column's own encoding, so the truth is a number here.
    addRoom.get({ name, epoch: newId(), at: now(), ownerId, isPrivate: isPrivate ? 1 : 0 });
  const findOrMake = (name: string): RoomRow => find(name) ?? make(name, null, false);
  const mustFind = (name: string): RoomRow => {
    const room = find(name);
    if (room === undefined) throw new Problem("not_found", "There is no such room");
    return room;
  };

  /** Writes an event at the end of the room's log. Runs inside a commit. */
  const append = (
    name: string,
    said: Pick<ChatMessage, "clientId" | "user" | "kind" | "text" | "at" | "target">,
  ): ChatMessage => {
    const { clientId, user, kind, text, at, target } = said;
    const room: Pick<RoomRow, "id" | "epoch" | "head"> | undefined = advance.get({ name });
    if (room === undefined) {
      make(name, null, false);
      return append(name, said);
    }
    const { epoch, head: offset } = room;
    const place = { room: room.id, offset };
    const words = { clientId, userId: user.id, userName: user.name, kind, text, at, target };
    const { id } = addMessage.get({ ...place, ...words });
    return { epoch, offset, id, clientId, user, kind, target, text, at };
  };

  const findEarlier = (name: string, userId: number, clientId: string): ChatMessage | null => {
    const room = find(name);
    const row = room && findSaid.get({ room: room.id, userId, clientId });
    return room && row ? messageOf(row, room.epoch) : null;
  };

  const page = (name: string, query: typeof findAfter, offset: number, limit: number) => {
    const room = find(name);
    if (room === undefined) return [];
    return query.all({ room: room.id, offset, limit }).map((row) => messageOf(row, room.epoch));
  };

  return {
    room: async (name) => roomOf(find(name) ?? (await commit(() => findOrMake(name)))),
    find: async (name) => {
      const room = find(name);
      return room === undefined ? null : roomOf(room);
    },
    create: (name, ownerId, isPrivate) =>
      commit(() => (find(name) === undefined ? roomOf(make(name, ownerId, isPrivate)) : null)),
    list: async (userId, after, limit) => {
      const mine = db
        .select({ id: room_members.room_id })
        .from(room_members)
        .where(and(eq(room_members.user_id, userId ?? -1), eq(room_members.status, "invited")));
      const visible = or(
        eq(rooms.private, false),
        eq(rooms.owner_id, userId ?? -1),
        inArray(rooms.id, mine),
      );
      return db
        .select()
        .from(rooms)
        .where(and(gt(rooms.name, after), userId === null ? undefined : visible))
        .orderBy(asc(rooms.name))
        .limit(limit)
        .all()
        .map(roomOf);
    },
    head: async (name) => find(name)?.head ?? 0,
    add: async (name, said) => {
      try {
        const message = await commit(() => append(name, { ...said, target: null }));
        return { message, isNew: true };
      } catch (error) {
        // The same client_id again breaks a rule of the table, and only then is it looked up.
        const earlier = findEarlier(name, said.user.id, said.clientId);
        if (earlier === null) throw error;
        return { message: earlier, isNew: false };
      }
    },
    amend: (name, amendment, check) =>
      commit(() => {
        const room = mustFind(name);
        const target = db
          .select({ id: messages.id, authorId: messages.user_id, text: messages.text })
          .from(messages)
          .where(
            and(
              eq(messages.id, amendment.target),
              eq(messages.room_id, room.id),
              // Edits and removals cannot be amended themselves, nor what is gone.
              isNull(messages.target),
              ne(messages.text, ""),
            ),
          )
          .get();
        if (target === undefined) return null;
        if (!check(target.authorId)) return "forbidden";
        if (amendment.kind === "remove") {
          // With its edits: what is removed must not be read in the history.
          db.update(messages)
            .set({ text: "" })
            .where(
              and(
                eq(messages.room_id, room.id),
                or(eq(messages.id, target.id), eq(messages.target, target.id)),
              ),
            )
            .run();
        }
        return append(name, amendment);
      }),
    after: async (name, offset, limit) => page(name, findAfter, offset, limit),
    before: async (name, offset, limit) => page(name, findBefore, offset, limit).reverse(),
    saidAfter: async (id, limit) => {
      const rows = db
        .select({ message: messages, room: rooms.name, isPrivate: rooms.private })
        .from(messages)
        .innerJoin(rooms, eq(rooms.id, messages.room_id))
        .where(gt(messages.id, id))
        .orderBy(asc(messages.id))
        .limit(limit)
        .all();
      const said = rows.flatMap(({ message, room, isPrivate }): SaidMessage[] => {
        const { id, kind, text, at } = message;
        // A message that was removed has no text any more.
        if (isPrivate || text === "" || (kind !== "text" && kind !== "caption")) return [];
        return [{ id, room, text, at }];
      });
      const last = rows.at(-1);
      return last === undefined ? null : { reached: last.message.id, said };
    },
    access: async (name, userId) => findAccess.get({ name, userId }) ?? null,
    removedSince: async (at) =>
      db
        .select({ room: rooms.name, userId: room_members.user_id })
        .from(room_members)
        .innerJoin(rooms, eq(rooms.id, room_members.room_id))
        .where(and(eq(room_members.status, "removed"), gte(room_members.at, at)))
        .all(),
    dropInvitation: (name, userId) =>
      commit(() => {
        const { id } = mustFind(name);
        db.delete(room_members)
          .where(
            and(
              eq(room_members.room_id, id),
              eq(room_members.user_id, userId),
              eq(room_members.status, "invited"),
            ),
          )
          .run();
      }),
    setMembership: (name, userId, status) =>
      commit(() => {
        const { id } = mustFind(name);
        const row = { room_id: id, user_id: userId, status, at: now() };
        db.insert(room_members)
          .values(row)
          .onConflictDoUpdate({
            target: [room_members.room_id, room_members.user_id],
            set: { status, at: row.at },
          })
          .run();
      }),
    read: async (name, userId) => findRead.get({ name, userId })?.offset ?? 0,
    setRead: (name, userId, offset) =>
      commit(() => {
        const { id, head } = mustFind(name);
        const read = Math.min(offset, head);
        db.insert(reads)
          .values({ room_id: id, user_id: userId, offset: read })
          .onConflictDoUpdate({
            target: [reads.room_id, reads.user_id],
            set: { offset: sql`max(${reads.offset}, ${read})` },
          })
          .run();
      }),
  };
}

function roomOf({ name, epoch, head, owner_id, private: isPrivate, created_at }: RoomRow): Room {
  return { name, epoch, head, ownerId: owner_id, isPrivate, createdAt: created_at };
}

function messageOf(row: typeof messages.$inferSelect, epoch: string): ChatMessage {
  const { offset, id, kind, target, text, at } = row;
  const user = { id: row.user_id, name: row.user_name };
  return { epoch, offset, id, clientId: row.client_id, user, kind, target, text, at };
}
