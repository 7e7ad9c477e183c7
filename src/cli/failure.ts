/**
 * What went wrong outside, in one line: the disk, its rights, a file that is no database. Throws any
 * other error on: that is a fault of the program.
 */
export function failureLine(error: unknown): string {
  if (!(error instanceof Error) || !("code" in error || error.name === "NewerDatabase")) {
    throw error;
  }
  return error.message.split("\n")[0] ?? error.name;
}
