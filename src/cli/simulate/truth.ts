import { type TopicMention, compareText } from "../../text/topics.ts";
import type { SourcePost } from "./source.ts";

/** What the counts of posts have to be. */
export interface Truth {
  add(post: SourcePost): void;
  posts(): number;
  publications(): ReadonlyMap<string, PublicationTruth>;
  /** The commonest spelling over all publications; ties go to the first in code-point order. */
  spelling(topic: string): string;
}

export interface PublicationTruth {
  posts: number;
  /** Posts by topic, as `topicOf` writes it. */
  topics: Map<string, number>;
}

/** A topic as one text. */
export function topicOf(label: string, key: string): string {
  return `${label} ${key}`;
}

/** Counts topics in memory: one number for each topic of each publication and for each spelling. */
export function createTruth(findTopics: (text: string) => TopicMention[]): Truth {
  const publications = new Map<string, PublicationTruth>();
  const spellings = new Map<string, Map<string, number>>();
  let posts = 0;
  return {
    add: ({ publication, content }) => {
      posts++;
      const counted = publications.get(publication) ?? { posts: 0, topics: new Map() };
      publications.set(publication, counted);
      counted.posts++;
      for (const { label, key, spellings: written } of findTopics(content)) {
        const topic = topicOf(label, key);
        addOne(counted.topics, topic);
        const counts = spellings.get(topic) ?? new Map<string, number>();
        spellings.set(topic, counts);
        for (const spelling of written) addOne(counts, spelling);
      }
    },
    posts: () => posts,
    publications: () => publications,
    spelling: (topic) => {
      const ranked = [...(spellings.get(topic) ?? [])].sort(
        ([one, count], [other, otherCount]) => otherCount - count || compareText(one, other),
      );
      return ranked[0]?.[0] ?? "";
    },
  };
}

function addOne(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/**
 * Leaves out posts of a source that come again, by publication and external id, since a service
 * keeps the first. Remembers a hash of each.
 */
export async function* distinctPosts<Item extends object>(
  items: AsyncIterable<Item | SourcePost>,
  onRepeat: () => void,
): AsyncGenerator<Item | SourcePost, void, undefined> {
  const seen = new Set<bigint>();
  for await (const item of items) {
    if ("externalId" in item) {
      const hash = Bun.hash.wyhash(JSON.stringify([item.publication, item.externalId]));
      if (seen.has(hash)) {
        onRepeat();
        continue;
      }
      seen.add(hash);
    }
    yield item;
  }
}
