import { type Log, errorFields } from "../../platform/log.ts";
import { endsWithin } from "../../platform/stops.ts";
import { createTrouble } from "../../platform/trouble.ts";
import type { NewPost } from "./model.ts";
import type { PostStore, SourceName } from "./post.store.ts";

/** What was said here, in the order of its rows. */
export interface Said {
  /** The last row that was looked at; not every row is something that was said. */
  reached: number;
  posts: NewPost[];
}

/** Reads at most `limit` rows after a row; null when there are none. */
export type ReadSaid = (after: number, limit: number) => Promise<Said | null>;

export interface SourcesDependencies {
  store: PostStore;
  sources: Partial<Record<SourceName, ReadSaid>>;
  onAdded(): void;
  log: Log;
  /** How often it looks. */
  everyMs?: number;
}

const ROWS = 50;
const LOOK_EVERY_MS = 1_000;

/**
 * Makes posts of what is said in rooms and transcriptions. How far that has come is kept beside the
 * posts, so that whatever dies, each thing counts once. Returns a function that ends it, and waits for
 * the read that is under way, but no longer than `withinMs`: what that finds is read again next time.
 */
export function followSources(
  dependencies: SourcesDependencies,
): (withinMs: number) => Promise<void> {
  const { store, sources, onAdded, log, everyMs = LOOK_EVERY_MS } = dependencies;
  // A trouble each: that the one can be read says nothing of the other.
  const followed = (Object.entries(sources) as [SourceName, ReadSaid][]).map(([source, read]) => ({
    source,
    read,
    trouble: createTrouble({ log, level: "error" }),
  }));
  let isEnded = false;
  let looking: Promise<void> | null = null;

  const follow = async (source: SourceName, read: ReadSaid): Promise<void> => {
    while (!isEnded) {
      const from = await store.reached(source);
      const said = await read(from, ROWS);
      // A read that is late must not write into a database that is being closed.
      if (said === null || isEnded) return;
      await store.addFromSource(source, { from, to: said.reached }, said.posts);
      if (said.posts.length > 0) onAdded();
    }
  };

  const look = async (): Promise<void> => {
    for (const { source, read, trouble } of followed) {
      try {
        await follow(source, read);
        trouble.end("what was said here is read for its topics again");
      } catch (error) {
        trouble.begin(
          { source, ...errorFields(error) },
          "what was said here could not be read for its topics",
        );
      }
    }
    looking = null;
  };

  if (followed.length === 0) return async () => undefined;
  const timer = setInterval(() => {
    looking ??= look();
  }, everyMs);
  looking = look();
  return async (withinMs) => {
    isEnded = true;
    clearInterval(timer);
    if (looking !== null) await endsWithin(looking, withinMs);
  };
}
