import { version } from "../package.json";

/** Written in by the build; nothing from source. */
declare const EARSHOT_COMMIT: string | undefined;

export const VERSION: string = version;

/** The commit that a binary was built from, with a `+` when files had been changed; null from source. */
export const COMMIT: string | null =
  typeof EARSHOT_COMMIT === "undefined" || EARSHOT_COMMIT === "" ? null : EARSHOT_COMMIT;
