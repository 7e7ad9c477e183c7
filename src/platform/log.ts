import { AsyncLocalStorage } from "node:async_hooks";
import pino from "pino";
import { codeOf } from "./error-code.ts";
import type { LogLevel } from "../config.ts";

export interface LogFields {
  [name: string]: unknown;
}

/** The one stream of JSON lines. Nothing that was said, nobody's name and no token may be put in. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** The same stream for a part of the house; every line names it. */
  part(name: string): Log;
}

/** Something that is worked on, and that lines are marked with meanwhile. */
export interface LogScope {
  request: string;
}

export interface RootLog extends Log {
  /**
   * Runs something whose lines say for which request they are, as do those of all that it begins. What
   * goes on for others as well is bound by `AsyncLocalStorage.bind` where it is made.
   */
  within<Argument, Result>(
    scope: LogScope,
    run: (argument: Argument) => Result,
    argument: Argument,
  ): Result;
  /** What runs now; null outside of `within`. */
  scope(): LogScope | null;
}

/** Where lines go; standard output unless a test or a command wants them elsewhere. */
export type LogSink = (line: string) => void;

/** Opens the log. Lines look like `{"level":"info","time":1700000000000,"part":"http","msg":"…"}`. */
export function createLog(level: LogLevel, sink?: LogSink): RootLog {
  const scopes = new AsyncLocalStorage<LogScope>();
  const mixin = (): LogFields => {
    const scope = scopes.getStore();
    return scope === undefined ? {} : { request: scope.request };
  };
  const root = pino(
    { level, base: null, formatters: { level: (label) => ({ level: label }) }, mixin },
    sink === undefined ? pino.destination({ dest: 1, sync: true }) : { write: sink },
  );
  return {
    ...wrap(root),
    within: (scope, run, argument) => scopes.run(scope, run, argument),
    scope: () => scopes.getStore() ?? null,
  };
}

/** What an error may say in the log: its kind, code and message, and the stack where it is ours. */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: String(error) };
  const code = codeOf(error);
  return {
    error: `${error.name}: ${error.message}`,
    ...(code !== "" && { code }),
    stack: error.stack,
  };
}

function wrap(logger: pino.Logger): Log {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    part: (name) => wrap(logger.child({ part: name })),
  };
}
