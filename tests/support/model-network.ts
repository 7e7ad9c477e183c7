import { type Bus, createListeners } from "../../src/platform/bus.ts";
import { type Clock, sleepOn } from "./model-clock.ts";

// A bus that cannot be trusted: it loses, doubles, delays and turns around.

export interface Network {
  /** A process's end of it. */
  open(): Bus & { cutOff(): void };
  /** Whether nothing gets through; those who come back are told, or not, that they missed something. */
  setAway(isAway: boolean): void;
  /** From now on everything arrives, once. */
  heal(): void;
}

const BUS_DELAY_MS_MAX = 400;

export function createNetwork(clock: Clock, chance: () => number): Network {
  const ends = new Set<{ hear(channel: string, text: string): void; missed(): void }>();
  let isAway = false;
  let isHealed = false;

  const carry = (channel: string, text: string, hear: (c: string, t: string) => void): void => {
    if (isAway || (!isHealed && chance() < 0.2)) return;
    const copies = !isHealed && chance() < 0.15 ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const delayMs = chance() < 0.6 ? chance() * 10 : chance() * BUS_DELAY_MS_MAX;
      clock.after(delayMs, () => hear(channel, text));
    }
  };

  return {
    open: () => {
      const own = createListeners();
      const others = createListeners();
      const missed: (() => void)[] = [];
      const end = {
        hear: (channel: string, text: string) => others.tell(channel, JSON.parse(text)),
        missed: () => missed.forEach((listener) => listener()),
      };
      ends.add(end);
      return {
        publish: (channel, message) => {
          if (!ends.has(end)) return;
          own.tell(channel, message);
          const text = JSON.stringify(message);
          for (const other of ends) {
            if (other !== end) carry(channel, text, (c, t) => ends.has(other) && other.hear(c, t));
          }
        },
        subscribe: (channel, listener) => {
          let isStopped = false;
          own.add(channel, listener);
          const ready = (async () => {
            if (!isAway) await sleepOn(clock, chance() * 50);
            if (!isStopped) others.add(channel, listener);
          })();
          return {
            ready,
            stop: () => {
              isStopped = true;
              own.remove(channel, listener);
              others.remove(channel, listener);
            },
          };
        },
        onMissed: (listener) => void missed.push(listener),
        connected: () => !isAway,
        close: () => Promise.resolve(),
        cutOff: () => void ends.delete(end),
      };
    },
    setAway: (next) => {
      if (isAway && !next) for (const end of ends) if (chance() < 0.5) end.missed();
      isAway = next;
    },
    heal: () => {
      isAway = false;
      isHealed = true;
    },
  };
}
