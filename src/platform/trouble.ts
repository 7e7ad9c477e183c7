import type { Log, LogFields } from "./log.ts";

/** Something that goes wrong for a while, and what the log tells of it. */
export interface Trouble {
  /**
   * It goes wrong, as often as this is called. Told at once, each message for itself, then every ten
   * minutes while it lasts.
   */
  begin(fields: LogFields, message: string): void;
  /** It goes right, as often as this is called. Told once, after a trouble that was told. */
  end(message: string): void;
}

export interface TroubleDependencies {
  log: Log;
  level: "warn" | "error";
  /** Milliseconds that only grow. */
  now?(): number;
}

/** What lasts is told of again after so long. */
const AGAIN_MS = 600_000;
/** What comes and goes, such as a part that is restarted over and over, is told of this rarely. */
const APART_MS = 60_000;

/**
 * Keeps the log from being silent and from being flooded: one line when something begins to go wrong,
 * one when that is over. A line says how often it went wrong since the one before, where more than once.
 */
export function createTrouble({ log, level, now = readClock }: TroubleDependencies): Trouble {
  let beganAt: number | null = null;
  let isTold = false;
  /** When each message was told last; there are a few of them. */
  const toldAt = new Map<string, number>();
  let times = 0;

  return {
    begin: (fields, message) => {
      const at = now();
      beganAt ??= at;
      times++;
      const before = toldAt.get(message) ?? Number.NEGATIVE_INFINITY;
      if (at - before < (isTold ? AGAIN_MS : APART_MS)) return;
      log[level](times > 1 ? { ...fields, times } : fields, message);
      toldAt.set(message, at);
      isTold = true;
      times = 0;
    },
    end: (message) => {
      if (beganAt === null) return;
      if (isTold) log.info({ after_ms: Math.round(now() - beganAt) }, message);
      beganAt = null;
      isTold = false;
    },
  };
}

function readClock(): number {
  return performance.now();
}
