import type { Connection, Protocol } from "../../../realtime/connection.ts";
import { CLOSE, Refusal } from "../../../realtime/refusal.ts";
import type { TranscriptionService } from "../service.ts";
import { type StreamingDependencies, openStreaming } from "./earshot.ts";
import { checkOneFrame, openOneFrame } from "./one-frame.ts";

export interface DialectDependencies extends StreamingDependencies {
  service: TranscriptionService;
}

/** Lets the first frame of a transcription socket choose its dialect. */
export function openByFirstFrame(
  connection: Connection,
  dependencies: DialectDependencies,
): Protocol {
  let chosen: Protocol | null = null;
  return {
    frame: (frame) => {
      if (chosen === null) {
        const isStreaming = "type" in frame;
        // A frame that fits neither chooses nothing.
        if (!isStreaming) checkOneFrame(frame);
        chosen = isStreaming
          ? openStreaming(connection, dependencies)
          : openOneFrame(connection, dependencies.service, dependencies.languages);
      }
      return chosen.frame(frame);
    },
    binary: (bytes) => {
      if (chosen !== null) return chosen.binary(bytes);
      throw new Refusal("bad_request", "send `start` before sound", { close: CLOSE.badRequest });
    },
    drain: (withinMs) => chosen?.drain(withinMs),
    closed: () => chosen?.closed(),
  };
}
