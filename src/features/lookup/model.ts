// What a public API is to this server. Sources come from a file that is checked once, at start; from
// then on they are believed.

/** A public API that may be asked, and how. */
export interface Source {
  name: string;
  /** Scheme, host and port, such as `https://api.example.org`; no call ever leaves it. */
  origin: string;
  /** What may be asked of it; the first is meant when a question names none. */
  paths: ReadonlyMap<string, PathTemplate>;
  /** Sent with every call, names in lower case. */
  headers: Readonly<Record<string, string>>;
  /** Media types that it may answer with. */
  types: readonly string[];
  /** How long an answer is fresh. */
  ttlMs: number;
  /** How long it is remembered that there is none. */
  missingMs: number;
  /** How long after its freshness an answer may still stand in for one that fails. */
  staleMs: number;
  /** How long it is remembered that a question failed. */
  failedMs: number;
  /** The longest that a call may take, redirects and body included. */
  timeoutMs: number;
  /** The largest answer, before and after it is unpacked. */
  bytesMax: number;
  /** Calls at once from this process. */
  callsMax: number;
  /** Whether the host may stand in the operator's own network. */
  isPrivate: boolean;
}

export interface PathTemplate {
  /** Between slashes: fixed text, or a parameter's value. */
  segments: readonly Segment[];
  /** What may be asked for, by name; those that are no segment go into the query. */
  parameters: ReadonlyMap<string, Parameter>;
  /** What is sent in the query whatever is asked. */
  fixed: readonly (readonly [name: string, value: string])[];
}

export type Segment = { text: string } | { parameter: string };

export type Parameter = TextParameter | NumberParameter;

export interface TextParameter {
  kind: "text";
  pattern: RegExp;
  charactersMax: number;
  isLowered: boolean;
  /** What stands in for spaces; null when they stay. */
  space: string | null;
  fallback: string | null;
  isRequired: boolean;
}

export interface NumberParameter {
  kind: "number";
  min: number;
  max: number;
  /** Digits behind the point; what is finer is rounded, so that near places share an answer. */
  decimals: number;
  fallback: string | null;
  isRequired: boolean;
}

/** What a source said, or that it has nothing. */
export type Said =
  | { kind: "found"; type: string; body: Uint8Array<ArrayBuffer> }
  | { kind: "missing" };

/** What was said and when, in Unix milliseconds. */
export type Kept = Said & { at: number };

/** An answer to a question. */
export interface Answer {
  /** Kept and fresh; asked just now; kept for too long, but there is no better one now. */
  cache: "HIT" | "MISS" | "STALE";
  ageMs: number;
  kept: Kept;
}

/** A query's names that are this server's own, and so no parameter's. */
export const OWN_NAMES: readonly string[] = ["path", "user_id", "name"];

/** Why a source gave no answer. Its message reads on from the source's name and may be told. */
export class SourceFailed extends Error {
  override name = "SourceFailed";

  constructor(
    message: string,
    /** Whether the source itself is in trouble, not this one question. */
    readonly isDown: boolean,
    /** How long it wants to be left alone; null when it did not say. */
    readonly retryAfterMs: number | null = null,
    /** What went wrong underneath; for the log only. */
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}
