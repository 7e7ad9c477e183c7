/**
 * Small live values that are kept for a while: fields under a key, whose age limit starts again with
 * every `put`. A key that outlives its age is gone as a whole.
 */
export interface Kept {
  /** Sets fields of `key`. Unless it answers `kept`, a limit would be passed and nothing changed. */
  put(key: string, fields: Record<string, string>): Promise<PutAnswer>;
  /** All fields of `key`, in no particular order; empty when there are none. */
  get(key: string): Promise<Record<string, string>>;
  remove(key: string, fields: readonly string[]): Promise<void>;
}

/** `key_full`: the key has all it may have; `full`: there is no room for anybody. */
export type PutAnswer = "kept" | "key_full" | "full";

export interface KeptLimits {
  ageMs: number;
  /** The bytes of one key's values. */
  keyBytesMax: number;
  keyFieldsMax: number;
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
  const { ageMs, keyBytesMax, keyFieldsMax, totalBytesMax, now } = dependencies;
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
      const names = Object.keys(fields).filter((field) => !entry.fields.has(field));
      const hasRoom = entry.fields.size + names.length <= keyFieldsMax;
      if (!hasRoom || entry.bytes + added > keyBytesMax) return Promise.resolve("key_full");
      if (totalBytes + added > totalBytesMax) return Promise.resolve("full");
      for (const [field, value] of Object.entries(fields)) entry.fields.set(field, value);
      entry.bytes += added;
      totalBytes += added;
      entry.expiresAt = now() + ageMs;
      entries.delete(key);
      entries.set(key, entry);
      return Promise.resolve("kept");
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
