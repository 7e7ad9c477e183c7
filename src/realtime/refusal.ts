// What a socket is told when something is wrong, and what it may do about it.

/** Close codes; each tells a client whether to come back. */
export const CLOSE = {
  done: 1000,
  frameTooLarge: 1009,
  internal: 1011,
  draining: 1012,
  slowConsumer: 1013,
  badRequest: 4400,
  unauthorized: 4401,
  forbidden: 4403,
  idle: 4408,
  takenOver: 4409,
  bufferLimit: 4413,
  rate: 4429,
  overloaded: 4503,
} as const;

export type CloseCode = (typeof CLOSE)[keyof typeof CLOSE];

/** Every code of an `error` frame, and whether the same frame may succeed later. */
const RETRYABLE = {
  bad_request: false,
  unauthorized: false,
  forbidden: false,
  not_found: false,
  unsupported_language: false,
  unsupported_audio: false,
  audio_too_fast: true,
  frame_too_large: false,
  idle_timeout: true,
  session_expired: false,
  session_taken_over: false,
  overloaded: true,
  draining: true,
  rate_limited: true,
  internal: true,
} as const;

export type RefusalCode = keyof typeof RETRYABLE;
export const REFUSAL_CODES = Object.keys(RETRYABLE) as RefusalCode[];

export interface RefusalExtras {
  /** The close that follows the `error` frame; without one the socket stays open. */
  close?: CloseCode;
  retryAfterMs?: number;
}

/** Something a client asked for that is not done. The message holds nothing that was said. */
export class Refusal extends Error {
  override name = "Refusal";

  constructor(
    readonly code: RefusalCode,
    message: string,
    readonly extras: RefusalExtras = {},
  ) {
    super(message);
  }

  /** The `error` frame. */
  frame(ref?: Ref): ErrorFrame {
    return {
      type: "error",
      code: this.code,
      message: this.message,
      retryable: RETRYABLE[this.code],
      ...(this.extras.retryAfterMs === undefined
        ? {}
        : { retry_after_ms: this.extras.retryAfterMs }),
      ...(ref === undefined ? {} : { ref }),
    };
  }
}

/** What a client sends along with a frame to find its answer. */
export type Ref = string | number;

export interface ErrorFrame {
  type: "error";
  code: RefusalCode;
  message: string;
  retryable: boolean;
  retry_after_ms?: number;
  ref?: Ref;
}
