import type { Caller } from "../../http/caller.ts";
import { asProblem } from "../../http/errors.ts";
import { type Log, errorFields } from "../../platform/log.ts";
import type { CaptionStore } from "./caption.store.ts";
import type { RoomCaptions } from "./transcript.ts";

/** Where captions go; given by whoever has rooms. */
export interface Captions {
  /** Shows what may still change. */
  interim(speaker: Caller, room: string, segmentId: string, text: string): Promise<void>;
  /** Keeps a final in the room; the same `segmentId` again adds nothing. */
  final(speaker: Caller, room: string, segmentId: string, text: string): Promise<void>;
}

/** What somebody is now who has spoken before: that stands in tokens, and not with what was said. */
export type RoleOf = (userId: number) => Promise<Caller["role"]>;

/** Brings what is said to the rooms that hear along. */
export interface CaptionPost {
  /** The captions of one speaker; null without a room. */
  open(speaker: Caller, room: string | null): RoomCaptions | null;
  /** Posts finals that were kept before `at` and did not reach their room, each room's in order. */
  postPending(at: number): Promise<void>;
}

export interface CaptionPostDependencies {
  captions: Captions;
  roleOf: RoleOf;
  store: CaptionStore;
  log: Log;
}

const PENDING_MAX = 500;

export function createCaptionPost(dependencies: CaptionPostDependencies): CaptionPost {
  const { captions, roleOf, store, log } = dependencies;
  /** False when the speaker may not speak there. */
  const post = async (
    speaker: Caller,
    room: string,
    segmentId: string,
    text: string,
  ): Promise<boolean> => {
    let isAllowed = true;
    try {
      await captions.final(speaker, room, segmentId, text);
    } catch (error) {
      if (asProblem(error)?.code !== "forbidden") throw error;
      isAllowed = false;
    }
    await store.posted(segmentId);
    return isAllowed;
  };

  return {
    open: (speaker, room) => {
      if (room === null) return null;
      // The speaker may have been sent out of the room since: nothing more is shown there.
      let isOut = false;
      const failed = (error: unknown): void => {
        isOut ||= asProblem(error)?.code === "forbidden";
        log.warn(errorFields(error), "a caption did not reach its room");
      };
      return {
        interim: (segmentId, text) => {
          if (!isOut) captions.interim(speaker, room, segmentId, text).catch(failed);
        },
        post: (segmentId, text) => {
          post(speaker, room, segmentId, text).then(
            (isAllowed) => void (isOut = !isAllowed),
            failed,
          );
        },
      };
    },
    postPending: async (at) => {
      const stuck = new Set<string>();
      for (const pending of await store.pending(at, PENDING_MAX)) {
        const { segmentId, room, userId, userName: name, text } = pending;
        if (stuck.has(room)) continue;
        try {
          await post({ userId, name, role: await roleOf(userId) }, room, segmentId, text);
        } catch (error) {
          // The other rooms' do not wait for it.
          stuck.add(room);
          log.warn(errorFields(error), "a caption does not reach its room yet");
        }
      }
    },
  };
}
