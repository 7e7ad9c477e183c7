import pino from "pino";
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

/** Where lines go; standard output unless a test or a command wants them elsewhere. */
export type LogSink = (line: string) => void;

/** Opens the log. Lines look like `{"level":"info","time":1700000000000,"part":"http","msg":"…"}`. */
export function createLog(level: LogLevel, sink?: LogSink): Log {
  const root = pino(
    { level, base: null, formatters: { level: (label) => ({ level: label }) } },
    sink === undefined ? pino.destination({ dest: 1, sync: true }) : { write: sink },
  );
  return wrap(root);
}

/** What an error may say in the log: its kind, code and message, and the stack where it is ours. */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: String(error) };
  const code = "code" in error ? { code: error.code } : {};
  return { error: `${error.name}: ${error.message}`, ...code, stack: error.stack };
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
