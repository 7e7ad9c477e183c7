import { and, asc, desc, eq, gt, lt, sql } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import { messages, rooms } from "../../schema.ts";
import type { ChatMessage } from "./model.ts";

export interface ChatStore {
  /** The room's place in history; the room comes into being when it is not there yet. */
  room(name: string): Promise<{ epoch: string; head: number }>;
  /** The offset of the newest message; 0 when there is no room. */
  head(name: string): Promise<number>;
  /** Adds a message with the room's next offset, or finds the one that was said before. */
  add(name: string, said: NewMessage): Promise<{ message: ChatMessage; isNew: boolean }>;
  /** Messages after an offset, oldest first. */
  after(name: string, offset: number, limit: number): Promise<ChatMessage[]>;
  /** The last messages before an offset, oldest first. */
  before(name: string, offset: number, limit: number): Promise<ChatMessage[]>;
}

export type NewMessage = Pick<ChatMessage, "clientId" | "user" | "kind" | "text" | "at">;

interface RoomRow {
  id: number;
  epoch: string;
  head: number;
}

export interface ChatStoreDependencies {
  database: Database;
  newId(): string;
  now(): number;
}

/** Rooms and their messages in SQLite, which numbers them. */
export function createChatStore({ database, newId, now }: ChatStoreDependencies): ChatStore {
  const { db, commit } = database;
  const bound = sql.placeholder;

  const findRoom = db
    .select({ id: rooms.id, epoch: rooms.epoch, head: rooms.head })
    .from(rooms)
    .where(eq(rooms.name, bound("name")))
    .prepare();
  const addRoom = db
    .insert(rooms)
    .values({ name: bound("name"), epoch: bound("epoch"), created_at: bound("at") })
    .returning({ id: rooms.id, epoch: rooms.epoch, head: rooms.head })
    .prepare();
  const advance = db
    .update(rooms)
    .set({ head: sql`${bound("head")}` })
    .where(eq(rooms.id, bound("id")))
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

  const find = (name: string): RoomRow | undefined => findRoom.get({ name });
  const findOrAdd = (name: string): RoomRow =>
    find(name) ?? addRoom.get({ name, epoch: newId(), at: now() });

  const list = (name: string, query: typeof findAfter, offset: number, limit: number) => {
    const room = find(name);
    if (room === undefined) return [];
    return query.all({ room: room.id, offset, limit }).map((row) => messageOf(row, room.epoch));
  };

  return {
    room: async (name) => find(name) ?? (await commit(() => findOrAdd(name))),
    head: async (name) => find(name)?.head ?? 0,
    add: (name, { clientId, user, kind, text, at }) =>
      commit(() => {
        const room = findOrAdd(name);
        const said = findSaid.get({ room: room.id, userId: user.id, clientId });
        if (said !== undefined) return { message: messageOf(said, room.epoch), isNew: false };
        const offset = room.head + 1;
        const place = { room: room.id, offset };
        const words = { clientId, userId: user.id, userName: user.name, kind, text, at };
        const { id } = addMessage.get({ ...place, ...words });
        advance.run({ id: room.id, head: offset });
        const message = { epoch: room.epoch, offset, id, clientId, user, kind, text, at };
        return { message, isNew: true };
      }),
    after: async (name, offset, limit) => list(name, findAfter, offset, limit),
    before: async (name, offset, limit) => list(name, findBefore, offset, limit).reverse(),
  };
}

function messageOf(row: typeof messages.$inferSelect, epoch: string): ChatMessage {
  const { offset, id, kind, text, at } = row;
  const user = { id: row.user_id, name: row.user_name };
  return { epoch, offset, id, clientId: row.client_id, user, kind, text, at };
}
