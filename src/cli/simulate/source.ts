/** A post as its source has it. */
export interface SourcePost {
  content: string;
  publication: string;
  /** The same for the same post, whenever the source is read. */
  externalId: string;
  /** Unix milliseconds; null when the source does not say. */
  publishedAt: number | null;
}

/** A line that is no post, and why. */
export interface BadLine {
  line: number;
  reason: string;
}

/** Where posts come from. It can be read more than once and then gives the same again. */
export interface PostSource {
  read(): AsyncIterable<SourcePost | BadLine>;
  /** How many posts there will be when `done` of them are read; null when nobody can say. */
  total(done: number): number | null;
  /** Whether `total` is a guess. */
  isEstimated: boolean;
}

/** A source that cannot be had or read. The message is for a person. */
export class UnreadableSource extends Error {
  override name = "UnreadableSource";
}

/** The columns of a file are not those that were named, or nobody can tell which are meant. */
export class UnknownColumns extends UnreadableSource {
  override name = "UnknownColumns";
}

export function isBadLine(item: SourcePost | BadLine): item is BadLine {
  return "reason" in item;
}

/** At most `count` posts of a source; bad lines do not count. */
export async function* firstOf(
  items: AsyncIterable<SourcePost | BadLine>,
  count: number,
): AsyncGenerator<SourcePost | BadLine, void, undefined> {
  let left = count;
  if (left === 0) return;
  for await (const item of items) {
    yield item;
    if (!isBadLine(item) && --left === 0) return;
  }
}

/** The posts of a seed, without end. */
export async function* generated(
  make: (n: number) => SourcePost,
): AsyncGenerator<SourcePost, void, undefined> {
  for (let n = 1; ; n++) yield make(n);
}
