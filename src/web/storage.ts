/** What the app uses of a browser's storage. */
export type KeptStorage = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/**
 * A storage that never throws. Browsers may refuse it altogether, or when it is full: what cannot be
 * kept is remembered until the page is closed. `window` tells what other pages change.
 */
export function openStorage(open: () => Storage, window: Window): KeptStorage {
  /** What the storage could not take; null for what it could not remove. */
  const own = new Map<string, string | null>();
  const isDone = (use: (storage: Storage) => void): boolean => {
    try {
      use(open());
      return true;
    } catch {
      return false;
    }
  };
  const removeItem = (key: string): void => {
    if (isDone((storage) => storage.removeItem(key))) own.delete(key);
    else own.set(key, null);
  };
  // Another page could keep it: that is newer.
  window.addEventListener("storage", ({ key }) => {
    if (key === null) own.clear();
    else own.delete(key);
  });
  return {
    getItem: (key) => {
      let value = own.get(key) ?? null;
      if (!own.has(key)) {
        isDone((storage) => {
          value = storage.getItem(key);
        });
      }
      return value;
    },
    setItem: (key, value) => {
      if (isDone((storage) => storage.setItem(key, value))) {
        own.delete(key);
        return;
      }
      // Nothing old stays behind, which other pages would take for the latest.
      removeItem(key);
      own.set(key, value);
    },
    removeItem,
  };
}

/** What is kept as JSON; undefined for nothing, and for what somebody has spoilt. */
export function readJson(storage: KeptStorage, key: string): unknown {
  try {
    return JSON.parse(storage.getItem(key) ?? "") as unknown;
  } catch {
    return undefined;
  }
}
