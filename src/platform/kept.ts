/**
 * Small live values that are kept for a while: fields under a key, whose age limit starts again with
 * every `put`. A key that outlives its age is gone as a whole.
 */
export interface Kept {
  /** Sets fields of `key`. Answers false, and changes nothing, when a limit would be passed. */
  put(key: string, fields: Record<string, string>): Promise<boolean>;
  /** All fields of `key`, in no particular order; empty when there are none. */
  get(key: string): Promise<Record<string, string>>;
  remove(key: string, fields: readonly string[]): Promise<void>;
}

export interface KeptLimits {
  ageMs: number;
  /** The bytes of one key's values. */
  keyBytesMax: number;
}

export interface MemoryKeptDependencies extends KeptLimits {
  /** The bytes of all values of all keys. */
  totalBytesMax: number;
  now(): number;
}

interface Entry {
  fields: Map<string, string>;
  bytes: number;
  expiresAt: number;
}

/** How many keys are looked at for their age at each `put`, so that old ones go without a timer. */
const SWEPT_KEYS = 20;

/** What is kept lives in this process and goes with it. */
export function createMemoryKept(dependencies: MemoryKeptDependencies): Kept {
  const { ageMs, keyBytesMax, totalBytesMax, now } = dependencies;
  // In the order of the last `put`, so the oldest stand first.
  const entries = new Map<string, Entry>();
  let totalBytes = 0;

  const drop = (key: string, entry: Entry): void => {
    entries.delete(key);
    totalBytes -= entry.bytes;
  };

  const sweep = (): void => {
    let looked = 0;
    for (const [key, entry] of entries) {
      if (entry.expiresAt > now() || looked++ >= SWEPT_KEYS) return;
      drop(key, entry);
    }
  };

  const find = (key: string): Entry | undefined => {
    const entry = entries.get(key);
    if (entry === undefined || entry.expiresAt > now()) return entry;
    drop(key, entry);
    return undefined;
  };

  return {
    put: (key, fields) => {
      sweep();
      const entry = find(key) ?? { fields: new Map<string, string>(), bytes: 0, expiresAt: 0 };
      let added = 0;
      for (const [field, value] of Object.entries(fields)) {
        added += bytesOf(value) - bytesOf(entry.fields.get(field) ?? "");
      }
      if (entry.bytes + added > keyBytesMax || totalBytes + added > totalBytesMax) {
        return Promise.resolve(false);
      }
      for (const [field, value] of Object.entries(fields)) entry.fields.set(field, value);
      entry.bytes += added;
      totalBytes += added;
      entry.expiresAt = now() + ageMs;
      entries.delete(key);
      entries.set(key, entry);
      return Promise.resolve(true);
    },
    get: (key) => Promise.resolve(Object.fromEntries(find(key)?.fields ?? [])),
    remove: (key, fields) => {
      const entry = find(key);
      if (entry === undefined) return Promise.resolve();
      for (const field of fields) {
        const bytes = bytesOf(entry.fields.get(field) ?? "");
        entry.fields.delete(field);
        entry.bytes -= bytes;
        totalBytes -= bytes;
      }
      if (entry.fields.size === 0) drop(key, entry);
      return Promise.resolve();
    },
  };
}

function bytesOf(value: string): number {
  return Buffer.byteLength(value);
}
