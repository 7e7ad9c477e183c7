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
    /** Never used again: whoever follows what is added remembers how far it came. */
    id: integer().primaryKey({ autoIncrement: true }),
    transcription_id: integer()
      .notNull()
      .references((): AnySQLiteColumn => transcriptions.id, { onDelete: "cascade" }),
    segment_id: text().notNull(),
    seq: integer().notNull(),
    text: text().notNull(),
    /** What was recognised or saved before anybody edited it; null when nobody has. */
    recognised_text: text(),
    processed_text: text(),
    /** The number of the frame that told the processed text; null before. */
    processed_seq: integer(),
    word_count: integer().notNull().default(0),
    /** Whom and what the processed text names. */
    entities: text({ mode: "json" }).$type<StoredEntity[]>(),
    language: text().notNull(),
    start_ms: integer().notNull(),
    end_ms: integer().notNull(),
    confidence: real(),
    words: text({ mode: "json" }).$type<StoredWord[]>().notNull(),
  },
  (table) => [
    uniqueIndex("segments_place").on(table.transcription_id, table.segment_id),
    // Entries of one transcription lie in the order of their ids here: pages are read without sorting.
    index("segments_order").on(table.transcription_id),
  ],
);

/** Its place is in UTF-16 code units of the text that names it. */
export interface StoredEntity {
  text: string;
  label: string;
  start: number;
  end: number;
}

export interface StoredWord {
  word: string;
  start_ms: number;
  end_ms: number;
  confidence: number | null;
}

/** What edits replaced. */
export const revisions = sqliteTable(
  "revisions",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    transcription_id: integer()
      .notNull()
      .references((): AnySQLiteColumn => transcriptions.id, { onDelete: "cascade" }),
    /** Who edited, and when. */
    user_id: integer().notNull(),
    at: integer().notNull(),
    what: text({ enum: ["transcription", "segment", "title"] }).notNull(),
    segment_id: text(),
    /** What stood there before; null for a title that was not there. */
    text: text(),
  },
  (table) => [index("revisions_order").on(table.transcription_id)],
);

/**
 * How far the search index has come. The index itself is a virtual table, segment_search, made by a
 * migration: it holds the words of the segments, normalised, under the segments' ids.
 */
export const search_progress = sqliteTable("search_progress", {
  /** The version of the normal form that the indexed words have. */
  form: integer().primaryKey(),
  /** Segments up to this id are indexed; null when all are. */
  segment_id: integer(),
});

/**
 * Sessions that are not over, as whoever goes on with them has to know them: this process after it
 * was started again, or another one. The sound that has no words yet lies in the spool.
 */
export const speech_sessions = sqliteTable(
  "speech_sessions",
  {
    id: text().primaryKey(),
    transcription_id: integer()
      .notNull()
      .references((): AnySQLiteColumn => transcriptions.id, { onDelete: "cascade" }),
    user_id: integer().notNull(),
    user_name: text().notNull(),
    /** The process that holds it, and how often it has changed hands. */
    holder: text().notNull(),
    generation: integer().notNull().default(1),
    /** What its client has asked for. */
    wishes: text({ mode: "json" }).$type<StoredWishes>().notNull(),
    /** The bytes of sound, from its start, whose words are kept. */
    settled_bytes: integer().notNull().default(0),
    settled_ms: integer().notNull().default(0),
    /** The highest number of a frame that was told. */
    seq: integer().notNull().default(0),
    touched_at: integer().notNull(),
    /** When nobody has come back by then, it is over. */
    expires_at: integer().notNull(),
    /** How often its rest could not be recognised. */
    failures: integer().notNull().default(0),
  },
  (table) => [index("speech_sessions_age").on(table.expires_at)],
);

export interface StoredWishes {
  language: string;
  /** Null until a WAV header has told it. */
  format: { encoding: string; sampleRate: number; channels: number } | null;
  /** The bytes of sound that a WAV header announces; null when it does not say. */
  soundBytes: number | null;
  endpointingMs: number;
}

/** Finals that are kept but not in their room yet. */
export const pending_captions = sqliteTable("pending_captions", {
  segment_id: text().primaryKey(),
  room: text().notNull(),
  user_id: integer().notNull(),
  user_name: text().notNull(),
  text: text().notNull(),
  at: integer().notNull(),
});

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
    /** Never used again, as those of segments. */
    id: integer().primaryKey({ autoIncrement: true }),
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

/** Keys that programs send instead of signing in. Only what a key is made of is known, not the key. */
export const api_keys = sqliteTable("api_keys", {
  id: integer().primaryKey({ autoIncrement: true }),
  name: text().notNull(),
  /** SHA-256 of the key, hexadecimal. */
  hash: text().notNull().unique(),
  /** The key's first characters, by which people tell it from others. */
  hint: text().notNull(),
  /** What it opens. */
  scopes: text({ mode: "json" }).$type<StoredScope[]>().notNull().default(["posts", "audio"]),
  created_at: integer().notNull(),
  used_at: integer(),
  revoked_at: integer(),
});

export type StoredScope = "posts" | "audio";

/** Where posts come from. Rooms and transcriptions that are counted are publications as well. */
export const publications = sqliteTable("publications", {
  id: integer().primaryKey(),
  name: text().notNull().unique(),
});

export const posts = sqliteTable(
  "posts",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    publication_id: integer()
      .notNull()
      .references((): AnySQLiteColumn => publications.id),
    /** What its publication calls it; the same again is the same post. */
    external_id: text(),
    content: text().notNull(),
    published_at: integer().notNull(),
    created_at: integer().notNull(),
  },
  (table) => [
    uniqueIndex("posts_once")
      .on(table.publication_id, table.external_id)
      .where(sql`${table.external_id} IS NOT NULL`),
  ],
);

/** Posts that are not worked yet. One that is done leaves; one that cannot be moves to dead_posts. */
export const post_queue = sqliteTable(
  "post_queue",
  {
    post_id: integer()
      .primaryKey()
      .references((): AnySQLiteColumn => posts.id, { onDelete: "cascade" }),
    /** From then on whoever asks gets it: when it came, after a pause, or when its lease ends. */
    ready_at: integer().notNull(),
    /** The process that works it; null while nobody does. */
    holder: text(),
    failures: integer().notNull().default(0),
  },
  (table) => [
    index("post_queue_order").on(table.ready_at),
    index("post_queue_leased")
      .on(table.holder)
      .where(sql`${table.holder} IS NOT NULL`),
  ],
);

/** Posts that could not be worked, until somebody sends them back. */
export const dead_posts = sqliteTable("dead_posts", {
  post_id: integer()
    .primaryKey()
    .references((): AnySQLiteColumn => posts.id, { onDelete: "cascade" }),
  reason: text().notNull(),
  failures: integer().notNull(),
  died_at: integer().notNull(),
});

/** One row: how many posts have ever come in, how many are counted, and how many are dead now. */
export const post_totals = sqliteTable("post_totals", {
  id: integer().primaryKey(),
  accepted: integer().notNull(),
  done: integer().notNull(),
  dead: integer().notNull(),
});

/** How far the rooms' messages and the transcriptions' segments have become posts. */
export const topic_sources = sqliteTable("topic_sources", {
  source: text({ enum: ["rooms", "transcriptions"] }).primaryKey(),
  /** The row that was read last. */
  reached_id: integer().notNull(),
});

// What is counted has no index by count: each would be written anew with every post, and what is
// asked is asked of a thread that has time. Rows lie by topic, since few topics make most mentions.
// No row refers to another one's: ids are found in the transaction that writes them, and looking for
// each once more would take a sixth of its time.

/** Whom and what posts mention. A post counts once for each of its topics. */
export const topics = sqliteTable(
  "topics",
  {
    id: integer().primaryKey(),
    label: text({ enum: ["PER", "ORG", "LOC"] }).notNull(),
    /** The folded name. */
    key: text().notNull(),
    /** Posts that mention it. */
    count: integer().notNull(),
  },
  (table) => [uniqueIndex("topics_identity").on(table.key, table.label)],
);

/** How a topic is written, and in how many posts. */
export const topic_spellings = sqliteTable(
  "topic_spellings",
  {
    topic_id: integer().notNull(),
    spelling: text().notNull(),
    count: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.topic_id, table.spelling] })],
);

/** Posts of a publication that mention a topic. */
export const topic_counts = sqliteTable(
  "topic_counts",
  {
    topic_id: integer().notNull(),
    publication_id: integer().notNull(),
    count: integer().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.topic_id, table.publication_id] }),
    index("topic_counts_publication").on(table.publication_id),
  ],
);

/** The same by day (days since 1970, UTC). */
export const topic_days = sqliteTable(
  "topic_days",
  {
    topic_id: integer().notNull(),
    publication_id: integer().notNull(),
    day: integer().notNull(),
    count: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.topic_id, table.publication_id, table.day] })],
);

/** Posts of a publication that have been counted, by day. */
export const publication_days = sqliteTable(
  "publication_days",
  {
    publication_id: integer().notNull(),
    day: integer().notNull(),
    posts: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.publication_id, table.day] })],
);

/**
 * Who may sign in. A closed account keeps nothing but its number, which is never given again. Numbers
 * start above those that people state for themselves where nobody has to sign in (see its migration).
 */
export const users = sqliteTable(
  "users",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    /** As it was given; null once the account is closed, and so the others. */
    name: text(),
    /** The folded name: two accounts never share one. */
    name_key: text().unique(),
    /** argon2id with its salt and cost, in the PHC format. */
    password_hash: text(),
    role: text({ enum: ["user", "admin"] }).notNull(),
    created_at: integer().notNull(),
    closed_at: integer(),
    /** When everything that was the account's was gone as well. */
    erased_at: integer(),
  },
  (table) => [
    index("users_leaving")
      .on(table.closed_at)
      .where(sql`${table.closed_at} IS NOT NULL AND ${table.erased_at} IS NULL`),
  ],
);

/** Where accounts are signed in. What ends one deletes its row. */
export const auth_sessions = sqliteTable(
  "auth_sessions",
  {
    /** Stands in access tokens; never used again. */
    id: integer().primaryKey({ autoIncrement: true }),
    user_id: integer()
      .notNull()
      .references((): AnySQLiteColumn => users.id, { onDelete: "cascade" }),
    /** SHA-256, hexadecimal, of what all refresh tokens of the session have in common. */
    family_hash: text().notNull().unique(),
    /** The same of what only its latest one has. */
    token_hash: text().notNull(),
    created_at: integer().notNull(),
    /** When it was last refreshed. */
    used_at: integer().notNull(),
    expires_at: integer().notNull(),
    /** What the client called itself. */
    user_agent: text().notNull(),
  },
  (table) => [
    index("auth_sessions_user").on(table.user_id),
    index("auth_sessions_age").on(table.expires_at),
  ],
);
