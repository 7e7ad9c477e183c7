import { type Static, type TSchema, Type as t } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { ENTITY_LABELS } from "../../text/entities/labels.ts";
import { foldName } from "../../text/topic-names.ts";
import { type Service, ServiceFailure, detailOf } from "./service.ts";
import { type Truth, topicOf } from "./truth.ts";

export interface Checked {
  topics: number;
  differences: number;
  /** Publications that had posts from before, so that nothing can be said of their counts. */
  incomparable: string[];
}

export interface CheckDependencies {
  service: Service;
  truth: Truth;
  /** What `readPublications` gave before anything was sent. */
  before: ReadonlyMap<string, number>;
  onDifference(line: string): void;
  onProgress(donePublications: number): void;
}

export interface DrainDependencies {
  service: Service;
  /** So long the queue may stand still. */
  patienceMs: number;
  pauseMs: number;
  now(): number;
  onProgress(leftPosts: number): void;
}

const PUBLICATIONS_PAGE = 10_000;
const TOPICS_PAGE = 1_000;

const Publications = t.Array(t.Object({ publication: t.String(), posts: t.Integer() }));
const Topics = t.Object({
  topics: t.Array(
    t.Object({
      topic: t.String(),
      label: t.Union(ENTITY_LABELS.map((label) => t.Literal(label))),
      count: t.Integer(),
    }),
  ),
  next: t.Union([t.String(), t.Null()]),
});
const Queue = t.Object({
  queued: t.Integer(),
  leased: t.Integer(),
  done: t.Integer(),
  dead: t.Integer(),
});

/** Waits until the queue is empty; answers with its dead posts. Throws `ServiceFailure`. */
export async function drainQueue(dependencies: DrainDependencies): Promise<{ dead: number }> {
  const { service, patienceMs, pauseMs, now, onProgress } = dependencies;
  let before = "";
  let movedAt = now();
  for (;;) {
    const queue = await read(service, "/v1/queue", Queue);
    const left = queue.queued + queue.leased;
    onProgress(left);
    if (left === 0) return { dead: queue.dead };
    const state = `${left} ${queue.done} ${queue.dead}`;
    if (state !== before) movedAt = now();
    before = state;
    if (now() - movedAt > patienceMs) {
      throw new ServiceFailure(
        `the queue stands still: for ${patienceMs / 1000} s ${left} posts have been waiting`,
      );
    }
    await Bun.sleep(pauseMs);
  }
}

/** The posts that are counted for each publication. */
export async function readPublications(service: Service): Promise<Map<string, number>> {
  const posts = new Map<string, number>();
  let after: string | null = null;
  for (;;) {
    const from: string = after === null ? "" : `&after=${encodeURIComponent(after)}`;
    const page: Static<typeof Publications> = await read(
      service,
      `/v1/publications?limit=${PUBLICATIONS_PAGE}${from}`,
      Publications,
    );
    for (const { publication, posts: count } of page) posts.set(publication, count);
    after = page.at(-1)?.publication ?? null;
    if (page.length < PUBLICATIONS_PAGE) return posts;
  }
}

/**
 * Compares what the service counted with what it should have: posts and topics of each publication,
 * and, where the service has nothing but these posts, the spellings. Throws `ServiceFailure`.
 */
export async function compareCounts(dependencies: CheckDependencies): Promise<Checked> {
  const { service, truth, before, onDifference, onProgress } = dependencies;
  const counted = await readPublications(service);
  const isAlone = [...counted.values()].reduce((sum, posts) => sum + posts, 0) === truth.posts();
  const checked: Checked = { topics: 0, differences: 0, incomparable: [] };
  const differ = (line: string): void => {
    checked.differences++;
    onDifference(line);
  };
  const all = new Set<string>();
  let done = 0;
  for (const [publication, { posts, topics }] of truth.publications()) {
    for (const topic of topics.keys()) all.add(topic);
    const has = counted.get(publication);
    if (has === undefined) {
      differ(`${publication} is missing, with ${posts} posts`);
    } else if (has > posts && (before.get(publication) ?? 0) > 0) {
      checked.incomparable.push(publication);
    } else {
      if (has !== posts) differ(`${publication}: ${has} posts, not ${posts}`);
      const found = await readTopics(service, publication);
      for (const line of differencesOf(topics, found, isAlone ? truth : null)) {
        differ(`${publication}: ${line}`);
      }
    }
    onProgress(++done);
  }
  checked.topics = all.size;
  return checked;
}

interface FoundTopic {
  topic: string;
  count: number;
}

/** By topic, as `topicOf` writes it; more than one where the service does not fold as we do. */
async function readTopics(
  service: Service,
  publication: string,
): Promise<Map<string, FoundTopic[]>> {
  const found = new Map<string, FoundTopic[]>();
  const path = `/v1/publications/${encodeURIComponent(publication)}/topics`;
  let after: string | null = null;
  do {
    const from: string = after === null ? "" : `&after=${encodeURIComponent(after)}`;
    const page: Static<typeof Topics> = await read(
      service,
      `${path}?limit=${TOPICS_PAGE}&own=include${from}`,
      Topics,
    );
    for (const { topic, label, count } of page.topics) {
      const identity = topicOf(label, foldName(topic, label));
      found.set(identity, [...(found.get(identity) ?? []), { topic, count }]);
    }
    after = page.next;
  } while (after !== null);
  return found;
}

function* differencesOf(
  expected: ReadonlyMap<string, number>,
  found: ReadonlyMap<string, readonly FoundTopic[]>,
  spellings: Truth | null,
): Generator<string> {
  for (const [topic, count] of expected) {
    const [one, ...others] = found.get(topic) ?? [];
    if (one === undefined) yield `${topic} is missing, ${count} posts mention it`;
    else if (others.length > 0) yield `${topic} is there ${others.length + 1} times`;
    else if (one.count !== count) yield `${topic} has ${one.count} posts, not ${count}`;
    else if (spellings !== null && one.topic !== spellings.spelling(topic)) {
      yield `${topic} is written ${one.topic}, not ${spellings.spelling(topic)}`;
    }
  }
  for (const [topic, [one]] of found) {
    if (!expected.has(topic)) yield `${topic} has ${one?.count ?? 0} posts and no post mentions it`;
  }
}

async function read<Schema extends TSchema>(
  service: Service,
  path: string,
  schema: Schema,
): Promise<Static<Schema>> {
  const { status, json } = await service.ask({ method: "GET", path });
  if (status === 200 && Value.Check(schema, json)) return json;
  const [route] = path.split("?");
  throw new ServiceFailure(`${route} answers ${status}${detailOf(json)}, which is not understood`);
}
