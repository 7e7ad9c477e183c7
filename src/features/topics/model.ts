import { t } from "elysia";
import type { EntityLabel } from "../../text/entities/labels.ts";

/** A text from a publication, as it comes in. Its place in the queue and in the counts is ours. */
export interface NewPost {
  content: string;
  publication: string;
  /** What the publication calls it; the same again is the same post. */
  externalId: string | null;
  /** Unix milliseconds; null for the moment it came. */
  publishedAt: number | null;
}

/** A post that was taken in, now or before. */
export interface AcceptedPost {
  id: number;
  isNew: boolean;
}

/** How the queue stands. */
export interface QueueState {
  queued: number;
  leased: number;
  done: number;
  dead: number;
  /** How long the oldest post that is not worked yet has been here; null when there is none. */
  oldestAgeMs: number | null;
  /** Posts done a second, lately. */
  ratePerS: number;
}

/** A post that could not be worked. */
export interface DeadPost {
  id: number;
  publication: string;
  externalId: string | null;
  reason: string;
  failures: number;
  diedAt: number;
}

/** A topic and how many posts mention it. */
export interface Topic {
  /** The commonest spelling. */
  topic: string;
  label: EntityLabel;
  count: number;
  /** How much likelier a post of the publication mentions it than any post. */
  lift?: number;
  /** How many publications mention it. */
  publications?: number;
}

export const CONTENT_CHARACTERS_MAX = 100_000;
export const NAME_CHARACTERS_MAX = 200;
export const TOPICS_PAGE_MAX = 1_000;
export const PUBLICATIONS_PAGE_MAX = 10_000;
export const DEAD_PAGE_MAX = 1_000;

/** What rooms and transcriptions are called among the publications; no other may be called so. */
export const ROOM_PUBLICATION = "room:";
export const TRANSCRIPTIONS_PUBLICATION = "transcriptions";

/** Whether a publication is what is said here. */
export function isSaidHere(publication: string): boolean {
  return publication === TRANSCRIPTIONS_PUBLICATION || publication.startsWith(ROOM_PUBLICATION);
}

/** The end of the year 9999: dates say no later one, and what sends more counts in other units. */
const TIME_MS_MAX = 253_402_300_799_999;
const DAY_MS = 86_400_000;

/** The day of a moment: whole days since 1970, UTC. */
export function dayOf(at: number): number {
  return Math.floor(at / DAY_MS);
}

/** A day as people write it, such as 2026-01-31. */
export function dateOf(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

// A character may count twice here; the exact limit is checked where posts are read.
const name = t.String({
  minLength: 1,
  maxLength: 2 * NAME_CHARACTERS_MAX,
  description: `at most ${NAME_CHARACTERS_MAX} characters`,
});

const time = t.Union(
  [
    t.Integer({ minimum: 0, maximum: TIME_MS_MAX }),
    t.String({ pattern: "^\\d{4}-\\d{2}-\\d{2}", maxLength: 40 }),
  ],
  { description: "Unix milliseconds, or a date or time such as 2026-01-31T12:00:00Z" },
);

export const postBody = t.Object(
  {
    content: t.String({
      minLength: 1,
      description: `at most ${CONTENT_CHARACTERS_MAX} characters`,
    }),
    publication: name,
    external_id: t.Optional(t.Nullable(name)),
    published_at: t.Optional(t.Nullable(time)),
  },
  { additionalProperties: false },
);

export const acceptedSchema = t.Object({ id: t.Integer() });

const rejectedSchema = t.Object({
  line: t.Integer({ description: "from 1; in an array the place of the element" }),
  code: t.UnionEnum(["invalid", "too_large"]),
});

export const bulkSchema = t.Object(
  {
    accepted: t.Integer(),
    duplicates: t.Integer({ description: "whose external_id was known: nothing was added" }),
    rejected: t.Array(rejectedSchema, { description: "the first thousand of them" }),
    rejected_count: t.Integer(),
  },
  { description: "what became of the lines that were read" },
);

export const queueSchema = t.Object({
  queued: t.Integer(),
  leased: t.Integer({ description: "being worked" }),
  done: t.Integer(),
  dead: t.Integer(),
  oldest_age_ms: t.Nullable(t.Integer()),
  rate_per_s: t.Number({ description: "posts done a second, lately" }),
});

export const deadSchema = t.Object({
  id: t.Integer(),
  publication: t.String(),
  external_id: t.Nullable(t.String()),
  reason: t.String(),
  failures: t.Integer(),
  died_at: t.Integer(),
});

// No UnionEnum in queries: it takes its first value where none is given.
export const labelField = t.Union([t.Literal("PER"), t.Literal("ORG"), t.Literal("LOC")]);

export const topicSchema = t.Object({
  topic: t.String({ description: "the commonest spelling" }),
  label: labelField,
  count: t.Integer({ description: "posts that mention it, each once" }),
  lift: t.Optional(
    t.Number({
      description:
        "share in the publication / share in all, from 5 posts up; among all topics the highest of any publication",
    }),
  ),
  publications: t.Optional(t.Integer({ description: "how many publications mention it" })),
});

export const publicationSchema = t.Object({
  publication: t.String(),
  posts: t.Integer({ description: "posts that are counted" }),
  topics: t.Integer(),
});
