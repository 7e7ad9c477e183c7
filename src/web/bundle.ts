import { join } from "node:path";

/** The browser app, ready to be served. */
export interface WebBundle {
  html: string;
  /** The texts of its scripts and styles, by name. */
  files: Record<string, string>;
}

/**
 * Bundles the browser app. A macro: a binary has the result inside, and from source it is made when
 * the first page is asked for. A process of its own, since a macro must not wait for the bundler.
 */
export function bundle(): WebBundle {
  const { exitCode, stdout, stderr } = Bun.spawnSync([
    process.execPath,
    join(import.meta.dir, "build.ts"),
  ]);
  if (exitCode !== 0) throw new Error(`the browser app could not be bundled: ${stderr.toString()}`);
  return JSON.parse(stdout.toString()) as WebBundle;
}
