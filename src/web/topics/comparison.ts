import type { Label, Topic } from "./wishes.ts";

/** What was read of one publication: its commonest topics. */
export interface Listed {
  publication: string;
  /** All its posts; null when they are not known, as for a period. */
  posts: number | null;
  topics: readonly Topic[];
  /** Whether these are all its topics. */
  isWhole: boolean;
}

/** One publication's figure for a topic. */
export interface Cell {
  count: number;
  /** The topic is not among those that were read: there are fewer posts than `count`. */
  isBelow: boolean;
  /** The part of the publication's posts; null when it is not known. */
  share: number | null;
  lift: number | undefined;
}

export interface Row {
  topic: string;
  label: Label;
  /** In the order of the publications. */
  cells: Cell[];
}

/** The same topics of several publications beside each other, the commonest first. */
export function compare(publications: readonly Listed[], rowsMax: number): Row[] {
  const found = publications.map(
    ({ topics }) => new Map(topics.map((topic) => [keyOf(topic), topic])),
  );
  const rows = new Map<string, Row>();
  for (const { topics } of publications) {
    for (const topic of topics.slice(0, rowsMax)) {
      const key = keyOf(topic);
      if (rows.has(key)) continue;
      const cells = publications.map((each, at) => cellOf(each, found[at]?.get(key)));
      rows.set(key, { topic: topic.topic, label: topic.label, cells });
    }
  }
  const weight = ({ cells }: Row): number =>
    Math.max(...cells.map(({ count, share, isBelow }) => (isBelow ? 0 : (share ?? count))));
  return [...rows.values()].toSorted((one, other) => weight(other) - weight(one)).slice(0, rowsMax);
}

function keyOf({ topic, label }: Topic): string {
  return `${label} ${topic}`;
}

function cellOf({ posts, topics, isWhole }: Listed, topic: Topic | undefined): Cell {
  const isBelow = topic === undefined && !isWhole;
  const count = topic?.count ?? (isBelow ? (topics.at(-1)?.count ?? 0) : 0);
  return { count, isBelow, share: posts === null ? null : count / posts, lift: topic?.lift };
}
