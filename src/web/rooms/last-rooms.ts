import { type ReadonlySignal, effect } from "@preact/signals";
import type { Place } from "../router.ts";
import type { Person } from "../signed-in.ts";
import { type KeptStorage, readJson } from "../storage.ts";

const KEY = "earshot.last-rooms";
/** Older ones are forgotten. */
const ROOMS_MAX = 30;

/** The rooms that this browser was in, the latest first. */
export function loadLastRooms(storage: KeptStorage): string[] {
  const kept = readJson(storage, KEY);
  return Array.isArray(kept) ? kept.filter((room) => typeof room === "string") : [];
}

/** Remembers every room that is opened from now on, until an account signs out. */
export function followRooms(
  place: ReadonlySignal<Place>,
  person: ReadonlySignal<Person | null>,
  storage: KeptStorage,
): void {
  let before = person.peek();
  effect(() => {
    const { value: now } = person;
    // Whoever sits here next has not been in those rooms.
    if (before !== null && before.role !== "guest" && before.id !== now?.id)
      storage.removeItem(KEY);
    before = now;
  });
  effect(() => {
    const [view, room] = place.value.path;
    if (view !== "rooms" || room === undefined) return;
    const before = loadLastRooms(storage).filter((one) => one !== room);
    storage.setItem(KEY, JSON.stringify([room, ...before].slice(0, ROOMS_MAX)));
  });
}
