const FULL = ["SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "ENOSPC", "EDQUOT"];

/** Whether something was not kept because there is no room on the disk. Nothing is half kept then. */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ("code" in error && typeof error.code === "string" && FULL.includes(error.code)) return true;
  // Statements that are written out are wrapped in an error of their own.
  return isDiskFull(error.cause);
}
