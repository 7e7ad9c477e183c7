import { type Log, errorFields } from "../../platform/log.ts";
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
}

const ROWS = 50;
const LOOK_EVERY_MS = 1_000;

/**
 * Makes posts of what is said in rooms and transcriptions. How far that has come is kept beside the
 * posts, so that whatever dies, each thing counts once. Returns a function that ends it.
 */
export function followSources(dependencies: SourcesDependencies): () => Promise<void> {
  const { store, sources, onAdded, log } = dependencies;
  const entries = Object.entries(sources) as [SourceName, ReadSaid][];
  let isEnded = false;
  let looking: Promise<void> | null = null;

  const follow = async (source: SourceName, read: ReadSaid): Promise<void> => {
    while (!isEnded) {
      const from = await store.reached(source);
      const said = await read(from, ROWS);
      if (said === null) return;
      await store.addFromSource(source, { from, to: said.reached }, said.posts);
      if (said.posts.length > 0) onAdded();
    }
  };

  const look = async (): Promise<void> => {
    for (const [source, read] of entries) {
      try {
        await follow(source, read);
      } catch (error) {
        log.error(
          { source, ...errorFields(error) },
          "what was said here could not be read for its topics",
        );
      }
    }
    looking = null;
  };

  if (entries.length === 0) return async () => undefined;
  const timer = setInterval(() => {
    looking ??= look();
  }, LOOK_EVERY_MS);
  looking = look();
  return async () => {
    isEnded = true;
    clearInterval(timer);
    await looking;
  };
}
