import { Problem } from "../../http/problem.ts";
import { ENTITY_LABELS, type EntityLabel } from "../../text/entities/labels.ts";
import { foldName } from "../../text/topic-names.ts";
import { type Topic, dateOf, dayOf } from "./model.ts";
import { ownNames } from "./own-names.ts";
import { readTime } from "./reading-posts.ts";
import type {
  DayCount,
  Days,
  PublicationSize,
  PublicationsQuery,
  RankedTopic,
  TimelineQuery,
  TopicAnswer,
  TopicPlace,
  TopicsQuery,
} from "./topic.store.ts";

/** Reads the counts where it disturbs nobody. */
export interface TopicReader {
  topics(query: TopicsQuery): Promise<TopicAnswer<RankedTopic[]>>;
  publications(query: PublicationsQuery): Promise<TopicAnswer<PublicationSize[]>>;
  timeline(query: TimelineQuery): Promise<TopicAnswer<DayCount[]>>;
}

export interface TopicsAsked {
  publication: string | null;
  label: EntityLabel | null;
  /** The beginning of a word of the name. */
  q: string | null;
  since: string | null;
  until: string | null;
  sort: "count" | "lift";
  /** `next` of the page before. */
  after: string | null;
  limit: number;
  /** Whether a publication's own name is listed. */
  isOwnShown: boolean;
}

export interface TimelineAsked {
  topic: string;
  label: EntityLabel | null;
  publication: string | null;
  since: string | null;
  until: string | null;
}

export interface TopicsService {
  /** Throws `invalid`, and `not_found` for a publication that is not there. */
  topics(asked: TopicsAsked): Promise<{ topics: Topic[]; next: string | null }>;
  publications(after: string, limit: number): Promise<PublicationSize[]>;
  /** Days with posts that mention the topic. Throws as `topics` does. */
  timeline(asked: TimelineAsked): Promise<{ day: string; count: number }[]>;
}

const LIFT_DECIMALS = 4;
const LAST_DAY = 10_000_000;

export function createTopicsService(reader: TopicReader): TopicsService {
  return {
    topics: async ({ publication, label, q, since, until, sort, after, limit, isOwnShown }) => {
      const answer = await reader.topics({
        publication,
        label,
        prefixes: q === null || q.trim() === "" ? null : prefixesOf(q, label),
        days: readDays(since, until),
        sort,
        after: after === null ? null : readPlace(after, sort),
        limit: limit + 1,
        hidden: publication === null || isOwnShown ? [] : ownNames(publication),
      });
      const found = present(answer);
      const page = found.slice(0, limit);
      const last = page.at(-1);
      return {
        topics: page.map(topicJson),
        next: found.length > limit && last !== undefined ? writePlace(last.place, sort) : null,
      };
    },
    publications: async (after, limit) => present(await reader.publications({ after, limit })),
    timeline: async ({ topic, label, publication, since, until }) => {
      const names = labelsOf(label).map((each) => ({ label: each, key: foldName(topic, each) }));
      if (names.every(({ key }) => key === "")) {
        throw new Problem("invalid", "topic must hold a name");
      }
      const days = readDays(since, until);
      const answer = await reader.timeline({ names, publication, days });
      return present(answer).map(({ day, count }) => ({ day: dateOf(day), count }));
    },
  };
}

function labelsOf(label: EntityLabel | null): readonly EntityLabel[] {
  return label === null ? ENTITY_LABELS : [label];
}

/** A name folds in its own way under each label: United States is US as a place, and no person. */
function prefixesOf(q: string, label: EntityLabel | null): NonNullable<TopicsQuery["prefixes"]> {
  return labelsOf(label).flatMap((each) => {
    const prefixes = new Set([foldName(q), foldName(q, each)]);
    return [...prefixes].flatMap((prefix) => (prefix === "" ? [] : [{ label: each, prefix }]));
  });
}

function present<Found>(answer: TopicAnswer<Found>): Found {
  if ("found" in answer) return answer.found;
  throw new Problem("not_found", `There is no such ${answer.missing}`);
}

function topicJson({ topic, label, count, lift, publications }: RankedTopic): Topic {
  return {
    topic,
    label,
    count,
    ...(lift !== undefined && { lift: Number(lift.toFixed(LIFT_DECIMALS)) }),
    ...(publications !== undefined && { publications }),
  };
}

/** Whole days, both included, that two moments lie in. */
function readDays(since: string | null, until: string | null): Days {
  if (since === null && until === null) return null;
  const first = since === null ? 0 : readDay("since", since);
  const last = until === null ? LAST_DAY : readDay("until", until);
  return { first, last };
}

function readDay(field: string, time: string): number {
  const at = /^\d+$/.test(time) ? Number(time) : readTime(time);
  if (!Number.isSafeInteger(at)) {
    throw new Problem("invalid", `${field} must be Unix milliseconds or a date such as 2026-01-31`);
  }
  return dayOf(at);
}

function writePlace({ value, key, label }: TopicPlace, sort: TopicsAsked["sort"]): string {
  return Buffer.from(JSON.stringify([sort, value, key, label])).toString("base64url");
}

function readPlace(after: string, asked: TopicsAsked["sort"]): TopicPlace {
  try {
    const place = JSON.parse(Buffer.from(after, "base64url").toString()) as unknown[];
    const [sort, value, key, label] = place;
    if (sort === asked && typeof value === "number" && typeof key === "string") {
      if (label === "PER" || label === "ORG" || label === "LOC") return { value, key, label };
    }
  } catch {
    // Told below, as any other text that is no place.
  }
  throw new Problem("invalid", "after must be the next of the page before");
}
