import { codeOf } from "./error-code.ts";

const FULL = ["SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "ENOSPC", "EDQUOT"];

/** Whether something was not kept because there is no room on the disk. Nothing is half kept then. */
export function isDiskFull(error: unknown): boolean {
  return FULL.includes(codeOf(error));
}
