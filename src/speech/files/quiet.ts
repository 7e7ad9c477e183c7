/**
 * Runs a decoder's call without its complaints: the decoders print every broken frame to the
 * console besides returning the error, and a hostile file could fill the log with it.
 */
export function quietly<Result>(call: () => Result): Result {
  const { error } = console;
  console.error = () => undefined;
  try {
    return call();
  } finally {
    console.error = error;
  }
}
