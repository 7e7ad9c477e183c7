const ID_BYTES = 16;

/** A random id. Browsers have `randomUUID` only on pages that came over https or from this machine. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(ID_BYTES));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
