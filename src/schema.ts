import { sql } from "drizzle-orm";
import {
  type AnySQLiteColumn,
  index,
  integer,
  primaryKey,
  real,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";

// The disk on one page. Times are Unix milliseconds; positions in a sound are milliseconds from its start.

/** Values this installation made for itself, such as the key that signs guest tokens. */
export const secrets = sqliteTable("secrets", {
  name: text().primaryKey(),
  value: text().notNull(),
});

export const transcriptions = sqliteTable(
  "transcriptions",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    user_id: integer().notNull(),
    transcription: text().notNull().default(""),
    processed_text: text().notNull().default(""),
    word_count: integer().notNull().default(0),
    language: text().notNull(),
    created_at: integer().notNull(),
    /** When it was last added to; a live one that stands still was left by a process that died. */
    updated_at: integer().notNull(),
    session_id: text(),
    room: text(),
    title: text(),
    duration_ms: integer().notNull().default(0),
    status: text({ enum: ["live", "done", "interrupted"] })
      .notNull()
      .default("done"),
  },
  (table) => [
    index("transcriptions_user").on(table.user_id, table.id),
    index("transcriptions_live").on(table.status, table.updated_at),
  ],
);

export const segments = sqliteTable(
  "segments",
  {
    id: integer().primaryKey(),
    transcription_id: integer()
      .notNull()
      .references((): AnySQLiteColumn => transcriptions.id, { onDelete: "cascade" }),
    segment_id: text().notNull(),
    seq: integer().notNull(),
    text: text().notNull(),
    processed_text: text(),
    word_count: integer().notNull().default(0),
    language: text().notNull(),
    start_ms: integer().notNull(),
    end_ms: integer().notNull(),
    confidence: real(),
    words: text({ mode: "json" }).$type<StoredWord[]>().notNull(),
  },
  (table) => [uniqueIndex("segments_place").on(table.transcription_id, table.segment_id)],
);

export interface StoredWord {
  word: string;
  start_ms: number;
  end_ms: number;
  confidence: number;
}

/** Kept messages that a transcription already holds, so that saving again after a crash adds nothing. */
export const saved_messages = sqliteTable(
  "saved_messages",
  {
    message_id: text().primaryKey(),
    transcription_id: integer()
      .notNull()
      .references((): AnySQLiteColumn => transcriptions.id, { onDelete: "cascade" }),
    saved_at: integer().notNull(),
  },
  (table) => [index("saved_messages_age").on(table.saved_at)],
);

export const rooms = sqliteTable("rooms", {
  id: integer().primaryKey(),
  name: text().notNull().unique(),
  /** Random; a new one means that the history before it is lost. */
  epoch: text().notNull(),
  /** The offset of the newest message; 0 in an empty room. */
  head: integer().notNull().default(0),
  created_at: integer().notNull(),
  /** Who made it on purpose; null for a room that came into being by being used. */
  owner_id: integer(),
  private: integer({ mode: "boolean" }).notNull().default(false),
});

/** Who was let into a private room, and who was sent out of any. */
export const room_members = sqliteTable(
  "room_members",
  {
    room_id: integer()
      .notNull()
      .references((): AnySQLiteColumn => rooms.id, { onDelete: "cascade" }),
    user_id: integer().notNull(),
    status: text({ enum: ["invited", "removed"] }).notNull(),
    at: integer().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.room_id, table.user_id] }),
    index("room_members_removed")
      .on(table.at)
      .where(sql`${table.status} = 'removed'`),
  ],
);

/** How far each user has read in each room. */
export const reads = sqliteTable(
  "reads",
  {
    room_id: integer()
      .notNull()
      .references((): AnySQLiteColumn => rooms.id, { onDelete: "cascade" }),
    user_id: integer().notNull(),
    offset: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.room_id, table.user_id] })],
);

export const messages = sqliteTable(
  "messages",
  {
    id: integer().primaryKey(),
    room_id: integer()
      .notNull()
      .references((): AnySQLiteColumn => rooms.id, { onDelete: "cascade" }),
    offset: integer().notNull(),
    client_id: text().notNull(),
    user_id: integer().notNull(),
    user_name: text().notNull(),
    kind: text({ enum: ["text", "caption", "edit", "remove"] }).notNull(),
    /** The message that is edited or removed. */
    target: integer(),
    /** Emptied when the message is removed. */
    text: text().notNull(),
    at: integer().notNull(),
  },
  (table) => [
    uniqueIndex("messages_place").on(table.room_id, table.offset),
    uniqueIndex("messages_once").on(table.room_id, table.user_id, table.client_id),
    index("messages_target")
      .on(table.target)
      .where(sql`${table.target} IS NOT NULL`),
  ],
);
