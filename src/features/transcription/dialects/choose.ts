import type { Connection, Protocol } from "../../../realtime/connection.ts";
import { CLOSE, Refusal } from "../../../realtime/refusal.ts";
import type { TranscriptionService } from "../service.ts";
import { type StreamingDependencies, openStreaming } from "./earshot.ts";
import { openOneFrame } from "./one-frame.ts";

export interface DialectDependencies extends StreamingDependencies {
  service: TranscriptionService;
  /** Languages whose sound can be recognised here. */
  spoken: readonly string[];
}

/** Lets the first frame of a transcription socket choose its dialect. */
export function openByFirstFrame(
  connection: Connection,
  dependencies: DialectDependencies,
): Protocol {
  let chosen: Protocol | null = null;
  return {
    frame: (frame) => {
      chosen ??=
        "type" in frame
          ? openStreaming(connection, dependencies)
          : openOneFrame(connection, dependencies.service, dependencies.spoken);
      return chosen.frame(frame);
    },
    binary: (bytes) => {
      if (chosen !== null) return chosen.binary(bytes);
      throw new Refusal("bad_request", "send `start` before sound", { close: CLOSE.badRequest });
    },
    drain: () => chosen?.drain(),
    closed: () => chosen?.closed(),
  };
}
