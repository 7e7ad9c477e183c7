/**
 * The code of an error, such as `SQLITE_FULL` or `ENOSPC`, or of what it was caused by: statements that
 * are written out are wrapped in an error of their own. Empty when there is none.
 */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  if ("code" in error && typeof error.code === "string") return error.code;
  return codeOf(error.cause);
}
