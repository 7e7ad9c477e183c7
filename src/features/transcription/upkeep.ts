import { type Log, errorFields } from "../../platform/log.ts";
import { createTrouble } from "../../platform/trouble.ts";
import type { LiveTranscriptions } from "./live.ts";
import { touchEveryMs, untouchedMs } from "./opening.ts";
import type { CaptionPost } from "./room-captions.ts";
import type { SessionStore } from "./session.store.ts";

export interface UpkeepDependencies {
  live: LiveTranscriptions;
  store: SessionStore;
  captions: CaptionPost;
  parkedMs: number;
  now(): number;
  log: Log;
}

/** Sessions of dead processes that are finished in one round. */
const LEFT_MAX = 4;
/** Captions younger than this are on their way. */
const POSTING_MS = 10_000;

/**
 * Now and then: says that this process holds its sessions, finishes those that a dead one has left,
 * and posts captions that have not reached their room. Returns a function that ends it; the session
 * that it is finishing then is left to `live.close`.
 */
export function startUpkeep(dependencies: UpkeepDependencies): () => Promise<void> {
  const { live, store, captions, parkedMs, now, log } = dependencies;
  let isStopped = false;
  let tidying: Promise<void> | null = null;
  let finishing: Promise<void> | null = null;
  const trouble = createTrouble({ log, level: "error" });

  /** Takes as long as the sound that was left, so that nothing else waits for it. */
  const finishLeft = async (): Promise<void> => {
    try {
      await live.ready();
      for (const sessionId of isStopped ? [] : await store.expired(now(), LEFT_MAX)) {
        if (!isStopped) await finishOne(sessionId);
      }
    } catch (error) {
      log.error(errorFields(error), "sessions that were left could not be finished");
    }
    finishing = null;
  };

  /** One that cannot be finished does not keep the others from it. */
  const finishOne = async (sessionId: string): Promise<void> => {
    try {
      await live.finishLeft(sessionId);
    } catch (error) {
      log.error({ session: sessionId, ...errorFields(error) }, "a session could not be finished");
    }
  };

  const tidy = async (postBefore: number): Promise<void> => {
    const lost = await store.touch(live.holds(), now() + untouchedMs(parkedMs));
    for (const sessionId of lost) live.lose(sessionId);
    await captions.postPending(postBefore);
    finishing ??= finishLeft();
    await live.sweep();
    const interrupted = await store.interruptOrphans();
    if (interrupted > 0) log.warn({ interrupted }, "live transcriptions had no session any more");
  };

  const tidyOrLog = async (postBefore: number): Promise<void> => {
    try {
      await tidy(postBefore);
      trouble.end("live transcriptions are tidied again");
    } catch (error) {
      trouble.begin(errorFields(error), "live transcriptions were not tidied");
    }
    tidying = null;
  };

  const timer = setInterval(() => {
    tidying ??= tidyOrLog(now() - POSTING_MS);
  }, touchEveryMs(parkedMs));
  // What a process before this one has left is posted at once; nothing of this one's is on its way.
  tidying = tidyOrLog(now());
  return async () => {
    isStopped = true;
    clearInterval(timer);
    await tidying;
  };
}
