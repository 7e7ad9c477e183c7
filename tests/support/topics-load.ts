import { createEntityFinder } from "../../src/text/entities/finder.ts";
import { readModel } from "../../src/text/entities/model.ts";
import { readShippedModel } from "../../src/text/entities/shipped.ts";
import { loadTagger } from "../../src/text/entities/tagger.ts";
import { type TopicMention, compareText, createTopicFinder } from "../../src/text/topics.ts";
import { createRandom } from "./random.ts";
import {
  type Answer,
  type ListedTopic,
  type SentPost,
  type Served,
  allTopics,
  get,
  ndjson,
  rowsIn,
  send,
  sendBulk,
} from "./topics.ts";

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 0, 1);
const DAYS = 12;

const PUBLICATIONS = [
  "The New York Times",
  "www.daily-planet.example",
  "दैनिक जागरण",
  "A/B & 100%",
  "Reuters",
  "small blog",
];
const FIRST_NAMES =
  "Barack Angela Emmanuel Hillary Vladimir Narendra Theresa Justin Donald Michelle Bernie Nancy Boris Shinzo Malala Serena Roger Usain Lionel Marie".split(
    " ",
  );
const LAST_NAMES =
  "Obama Merkel Macron Clinton Putin Modi May Trudeau Trump Sanders Pelosi Johnson Abe Williams Federer Bolt Messi Curie Warren Kerry Rubio Cruz Ryan Powell Yellen Draghi".split(
    " ",
  );
const ORGANISATIONS = [
  "Google", "Apple Inc.", "Apple", "the Federal Reserve", "NATO", "Goldman Sachs", "Microsoft",
  "the World Bank", "Reuters", "The New York Times", "Facebook", "Harvard University", "the FBI",
  "Procter & Gamble", "Toyota", "Samsung", "Boeing", "the Senate", "Congress", "General Motors",
]; // prettier-ignore
const PLACES = [
  "the United States", "U.S.", "US", "Berlin", "Paris", "London", "New York", "Washington, D.C.",
  "China", "India", "Mumbai", "New Delhi", "Tokyo", "Moscow", "Syria", "Iraq", "California",
  "Côte d'Ivoire", "São Paulo", "Mexico",
]; // prettier-ignore
const HINDI = [
  "प्रधानमंत्री नरेंद्र मोदी ने दिल्ली में भाषण दिया।",
  "मुंबई में भारतीय जनता पार्टी की बैठक हुई।",
  "राहुल गांधी कल लखनऊ पहुंचे।",
];

/** What post `n` is called by its publication. */
export function externalIdOf(n: number): string {
  return `post ${n}`;
}

/** Post `n` of a made-up world, whichever were made before; its external_id is its own. */
export function makePost(n: number): Required<SentPost> {
  const random = createRandom(n);
  const pick = <Item>(items: readonly Item[]): Item =>
    items[Math.floor(items.length * random() ** 2)] as Item;
  const person = (): string => {
    const name = `${pick(FIRST_NAMES)} ${pick(LAST_NAMES)}`;
    return random() < 0.1 ? name.toUpperCase() : name;
  };
  const sentences = [
    () => `${person()} met ${person()} in ${pick(PLACES)} on Monday.`,
    () => `Shares of ${pick(ORGANISATIONS)} fell after ${person()} spoke in ${pick(PLACES)}.`,
    () => `President ${pick(LAST_NAMES)} said ${pick(ORGANISATIONS)} would leave ${pick(PLACES)}.`,
    () => `"We will see," ${person()} of ${pick(ORGANISATIONS)} told reporters.`,
    () => pick(HINDI),
  ];
  const isHindi = random() < 0.08;
  const count = 1 + Math.floor(random() * 6);
  const content = Array.from({ length: count }, () => (isHindi ? pick(HINDI) : pick(sentences)()));
  return {
    content: content.join(" "),
    publication: pick(PUBLICATIONS),
    external_id: externalIdOf(n),
    published_at: START_MS + Math.floor(random() * DAYS * DAY_MS),
  };
}

/** What finds topics in a server, in this process. */
export async function openTopicFinder(): Promise<(text: string) => TopicMention[]> {
  const tagger = async (language: "en" | "hi") =>
    loadTagger(readModel(await readShippedModel(language)).shared);
  return createTopicFinder(createEntityFinder({ en: await tagger("en"), hi: await tagger("hi") }));
}

/** What the counts have to be. */
export interface Expected {
  posts: number;
  /** Posts by publication and day, topics by identity. */
  sizes: Map<string, Map<number, number>>;
  topics: Map<string, ExpectedTopic>;
}

interface ExpectedTopic {
  label: string;
  key: string;
  spellings: Map<string, number>;
  /** Posts by publication and day. */
  days: Map<string, Map<number, number>>;
}

/** Counts posts as nobody else does: one after another, in memory. */
export function expectCounts(
  posts: Iterable<Required<SentPost>>,
  findTopics: (text: string) => TopicMention[],
): Expected {
  const expected: Expected = { posts: 0, sizes: new Map(), topics: new Map() };
  for (const { content, publication, published_at } of posts) {
    const day = Math.floor(Number(published_at) / DAY_MS);
    expected.posts++;
    addOne(within(expected.sizes, publication), day);
    for (const { label, key, spellings } of findTopics(content)) {
      const identity = `${label} ${key}`;
      const topic = expected.topics.get(identity) ?? {
        label,
        key,
        spellings: new Map(),
        days: new Map(),
      };
      expected.topics.set(identity, topic);
      for (const spelling of spellings) addOne(topic.spellings, spelling);
      addOne(within(topic.days, publication), day);
    }
  }
  return expected;
}

function within<Key, Value>(all: Map<Key, Map<Value, number>>, key: Key): Map<Value, number> {
  const inner = all.get(key) ?? new Map<Value, number>();
  all.set(key, inner);
  return inner;
}

function addOne<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

const sum = (counts: Iterable<number>): number => [...counts].reduce((all, one) => all + one, 0);

const LIFT_POSTS_MIN = 5;

/** Topics as they should be listed, by count, key and label, with their commonest spelling. */
function listed(expected: Expected, publication: string | null): ListedTopic[] {
  return [...expected.topics.values()]
    .flatMap(({ label, key, spellings, days }) => {
      const own = publication === null ? [...days.values()] : [days.get(publication) ?? new Map()];
      const count = sum(own.map((each: Map<number, number>) => sum(each.values())));
      if (count === 0) return [];
      const [[topic] = [""]] = [...spellings].sort(
        ([one, uses], [other, otherUses]) => otherUses - uses || compareText(one, other),
      );
      if (publication === null)
        return [{ label, key, count, listed: { topic, label, count, publications: days.size } }];
      if (count < LIFT_POSTS_MIN) return [{ label, key, count, listed: { topic, label, count } }];
      const size = sum(expected.sizes.get(publication)?.values() ?? []);
      const everywhere = sum([...days.values()].map((each) => sum(each.values())));
      const lift = count / size / (everywhere / expected.posts);
      const rounded = Number(lift.toFixed(4));
      return [{ label, key, count, listed: { topic, label, count, lift: rounded } }];
    })
    .sort(
      (one, other) =>
        other.count - one.count ||
        compareText(one.key, other.key) ||
        compareText(one.label, other.label),
    )
    .map(({ listed: topic }) => topic);
}

const TIMELINES = 20;

/** Everything in which a server's counts differ from what they should be. */
export async function differences(
  server: Served,
  folder: string,
  expected: Expected,
): Promise<string[]> {
  const found: string[] = [];
  const compare = (what: string, is: readonly unknown[], should: readonly unknown[]): void => {
    if (is.length !== should.length) found.push(`${what}: ${is.length} rows, not ${should.length}`);
    const at = should.findIndex((row, place) => !Bun.deepEquals(is[place], row));
    if (at >= 0)
      found.push(`${what}: ${JSON.stringify(is[at])}, not ${JSON.stringify(should[at])}`);
  };
  const publications = [...expected.sizes.keys()].sort(compareText);
  compare(
    "publications",
    await get<unknown[]>(server, "/v1/publications"),
    publications.map((publication) => ({
      publication,
      posts: sum(expected.sizes.get(publication)?.values() ?? []),
      topics: listed(expected, publication).length,
    })),
  );
  for (const publication of publications) {
    const path = `/v1/publications/${encodeURIComponent(publication)}/topics?own=include&limit=1000`;
    compare(publication, await allTopics(server, path), listed(expected, publication));
  }
  const all = listed(expected, null);
  compare("all topics", await allTopics(server, "/v1/topics?limit=1000"), all);
  for (const { topic, label } of all.slice(0, TIMELINES)) {
    const days = await get<{ count: number }[]>(
      server,
      `/v1/topics/timeline?topic=${encodeURIComponent(topic)}&label=${label}`,
    );
    const count = all.find((one) => one.topic === topic && one.label === label)?.count;
    compare(`timeline of ${topic}`, [sum(days.map((day) => day.count))], [count]);
  }
  compareTables(folder, expected, compare);
  return found;
}

type Compare = (what: string, is: readonly unknown[], should: readonly unknown[]) => void;

/** The tables themselves, of which the routes show sums and the first. */
function compareTables(folder: string, expected: Expected, compare: Compare): void {
  const counted = (query: string): string[] =>
    rowsIn<Record<string, unknown>>(folder, query)
      .map((row) => Object.values(row).join("|"))
      .sort();
  const topics = [...expected.topics.values()];
  compare(
    "spellings",
    counted(`SELECT label, key, spelling, s.count FROM topic_spellings AS s
      JOIN topics AS t ON t.id = topic_id`),
    topics
      .flatMap(({ label, key, spellings }) =>
        [...spellings].map(([spelling, count]) => [label, key, spelling, count].join("|")),
      )
      .sort(),
  );
  compare(
    "days",
    counted(`SELECT label, key, p.name, day, d.count FROM topic_days AS d
      JOIN topics AS t ON t.id = topic_id JOIN publications AS p ON p.id = publication_id`),
    topics
      .flatMap(({ label, key, days }) =>
        [...days].flatMap(([publication, each]) =>
          [...each].map(([day, count]) => [label, key, publication, day, count].join("|")),
        ),
      )
      .sort(),
  );
  compare(
    "sizes",
    counted(`SELECT p.name, day, posts FROM publication_days
      JOIN publications AS p ON p.id = publication_id`),
    [...expected.sizes]
      .flatMap(([publication, days]) =>
        [...days].map(([day, posts]) => [publication, day, posts].join("|")),
      )
      .sort(),
  );
  compare("totals", rowsIn(folder, "SELECT accepted, done, dead FROM post_totals"), [
    { accepted: expected.posts, done: expected.posts, dead: 0 },
  ]);
}

export interface Sending {
  /** How many posts were acknowledged so far. */
  acknowledged(): number;
  /** Which they are: what `makePost` made them of. */
  numbers(): readonly number[];
  /** Resolves when all of them are, with the id that each single one was answered with. */
  sent: Promise<Map<string, number>>;
  /** Begins no more; those that were begun are still insisted on. */
  close(): void;
}

const SINGLE_SENDERS = 8;
const BULK_SENDERS = 2;
const BULK_POSTS = 40;
/** So many posts are sent a second time for each that is sent once. */
const REPEATS = 0.1;
const RETRY_MS = 15;

interface SendingOptions {
  /** The first post; those after it follow. */
  first?: number;
  /** Posts of one bulk. */
  bulkPosts?: number;
}

/** Sends `count` posts, singly and in bulks, each again and again until it is acknowledged. */
export function sendPosts(
  count: number,
  server: () => Served,
  { first = 0, bulkPosts = BULK_POSTS }: SendingOptions = {},
): Sending {
  const ids = new Map<string, number>();
  const numbers: number[] = [];
  let next = first;
  let end = first + count;

  const insist = async (attempt: () => Promise<Answer>): Promise<Answer> => {
    for (;;) {
      try {
        const answer = await attempt();
        if (answer.status < 300) return answer;
        if (answer.status !== 429 && answer.status !== 503) {
          throw new Unexpected(`a post was answered with ${JSON.stringify(answer)}`);
        }
      } catch (error) {
        // The server is gone for now.
        if (error instanceof Unexpected) throw error;
      }
      await Bun.sleep(RETRY_MS);
    }
  };

  const sendSingly = async (): Promise<void> => {
    for (let n = next; n < end; n = next) {
      next++;
      const post = makePost(n);
      const random = createRandom(-n);
      do {
        const { json } = await insist(() => send(server(), post));
        const id = Number(json["id"]);
        const known = ids.get(post.external_id ?? "");
        if (known !== undefined && known !== id) throw new Error("a post has two ids");
        ids.set(post.external_id ?? "", id);
      } while (random() < REPEATS);
      numbers.push(n);
    }
  };
  const sendInBulk = async (): Promise<void> => {
    while (next < end) {
      const from = next;
      next = Math.min(end, from + bulkPosts);
      const bulk = Array.from({ length: next - from }, (_, at) => from + at);
      const posts = bulk.map(makePost);
      const { json } = await insist(() => sendBulk(server(), ndjson(posts)));
      if (Number(json["accepted"]) + Number(json["duplicates"]) !== posts.length) {
        throw new Error(`a bulk was answered with ${JSON.stringify(json)}`);
      }
      numbers.push(...bulk);
    }
  };
  return {
    acknowledged: () => numbers.length,
    numbers: () => numbers,
    close: () => {
      end = Math.min(end, next);
    },
    sent: Promise.all([
      ...Array.from({ length: SINGLE_SENDERS }, sendSingly),
      ...Array.from({ length: BULK_SENDERS }, sendInBulk),
    ]).then(() => ids),
  };
}

class Unexpected extends Error {}
