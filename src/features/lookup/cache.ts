/** Bytes that are kept for a while under a key, and claims to be the one who fetches them. */
export interface Cache {
  /** One value or null for each key, in their order. */
  get(keys: readonly string[]): Promise<(Bytes | null)[]>;
  /** May be forgotten earlier, when room is needed. */
  put(key: string, value: Bytes, ageMs: number): Promise<void>;
  /** Null when somebody else has it; one that is not released ends by itself after `ageMs`. */
  claim(key: string, ageMs: number): Promise<Claim | null>;
}

export type Bytes = Uint8Array<ArrayBuffer>;

export interface Claim {
  /** Does nothing to a claim that ended and is somebody else's by now. */
  release(): Promise<void>;
}

export interface MemoryCacheDependencies {
  /** Of all keys and values; past it those that nobody asked for the longest are forgotten. */
  bytesMax: number;
  now(): number;
}

interface Entry {
  value: Bytes;
  expiresAt: number;
}

/** What an entry takes besides its key and value, about. */
const ENTRY_BYTES = 200;
/** How many old entries are looked at for their age at each `put`, so that they go without a timer. */
const SWEPT_ENTRIES = 20;

/** What is kept lives in this process and goes with it. */
export function createMemoryCache({ bytesMax, now }: MemoryCacheDependencies): Cache {
  // In the order of the last use, so what nobody asks for stands first.
  const entries = new Map<string, Entry>();
  const claims = new Map<string, { until: number }>();
  let bytes = 0;

  const drop = (key: string, entry: Entry): void => {
    entries.delete(key);
    bytes -= sizeOf(key, entry.value);
  };

  const find = (key: string): Bytes | null => {
    const entry = entries.get(key);
    if (entry === undefined) return null;
    if (entry.expiresAt <= now()) {
      drop(key, entry);
      return null;
    }
    entries.delete(key);
    entries.set(key, entry);
    return entry.value;
  };

  const sweep = (): void => {
    let looked = 0;
    for (const [key, entry] of entries) {
      if (bytes <= bytesMax && looked++ >= SWEPT_ENTRIES) return;
      if (bytes > bytesMax || entry.expiresAt <= now()) drop(key, entry);
    }
  };

  return {
    get: (keys) => Promise.resolve(keys.map(find)),
    put: (key, value, ageMs) => {
      const old = entries.get(key);
      if (old !== undefined) drop(key, old);
      if (ageMs > 0) {
        entries.set(key, { value, expiresAt: now() + ageMs });
        bytes += sizeOf(key, value);
      }
      sweep();
      return Promise.resolve();
    },
    claim: (key, ageMs) => {
      if ((claims.get(key)?.until ?? 0) > now()) return Promise.resolve(null);
      const mine = { until: now() + ageMs };
      claims.set(key, mine);
      const release = (): Promise<void> => {
        if (claims.get(key) === mine) claims.delete(key);
        return Promise.resolve();
      };
      return Promise.resolve({ release });
    },
  };
}

function sizeOf(key: string, value: Bytes): number {
  return 2 * key.length + value.length + ENTRY_BYTES;
}
