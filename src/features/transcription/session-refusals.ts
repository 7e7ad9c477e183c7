import { CLOSE, Refusal } from "../../realtime/refusal.ts";
import type { StreamFailure } from "../../speech/messages.ts";

// Why a session goes on without its client, in words for the client.

export function takenOver(): Refusal {
  return new Refusal("session_taken_over", "another connection goes on with this session", {
    close: CLOSE.takenOver,
  });
}

export function notKept(): Refusal {
  return new Refusal("internal", "the transcription could not be kept; come back and resume", {
    close: CLOSE.internal,
  });
}

export function noRecogniser(): Refusal {
  return new Refusal("internal", "the recogniser failed; come back and resume", {
    close: CLOSE.internal,
  });
}

/** The end did not come: a recogniser does not get on. */
export function unfinished(): Refusal {
  return new Refusal(
    "overloaded",
    "the last words do not come; what was said is kept, come back and resume",
    { close: CLOSE.overloaded },
  );
}

/** The service that was asked for words gave none. */
export function serviceFailed(failure: StreamFailure & { kind: "service" }): Refusal {
  const { message, isPassing, retryAfterMs } = failure;
  const detail = `${message}; what was said is kept, come back and resume`;
  return isPassing
    ? new Refusal("overloaded", detail, {
        close: CLOSE.overloaded,
        ...(retryAfterMs === null ? {} : { retryAfterMs }),
      })
    : new Refusal("internal", detail, { close: CLOSE.internal });
}
