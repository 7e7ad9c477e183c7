import { closeSync, openSync } from "node:fs";
import { devNull } from "node:os";
import { codeOf } from "./error-code.ts";
import type { Log } from "./log.ts";
import { createTrouble } from "./trouble.ts";

export interface OpenFilesDependencies {
  log: Log;
  /** Opens something and closes it again. */
  tryOne?(): void;
  /** Repeats `run` until the answer is called; by a timer, unless a test brings its own clock. */
  every?(ms: number, run: () => void): () => void;
}

const LOOK_EVERY_MS = 2_000;

/**
 * Tells when this process may open nothing more: connections that come then are neither taken nor
 * refused, and nothing else would say why. Returns a function that ends it.
 */
export function watchOpenFiles(dependencies: OpenFilesDependencies): () => void {
  const { log, tryOne = openNothing, every = repeat } = dependencies;
  const trouble = createTrouble({ log, level: "error" });
  return every(LOOK_EVERY_MS, () => {
    try {
      tryOne();
    } catch (error) {
      const code = codeOf(error);
      if (code !== "EMFILE" && code !== "ENFILE") return;
      return trouble.begin(
        { code },
        "new connections are not taken: too many files are open; raise LimitNOFILE or ulimit -n",
      );
    }
    trouble.end("new connections are taken again");
  });
}

function openNothing(): void {
  closeSync(openSync(devNull, "r"));
}

function repeat(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms);
  return () => clearInterval(timer);
}
