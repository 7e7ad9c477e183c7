import { type Measure, counter } from "./metrics.ts";

/** A message to everyone who listens, in every process. It may be lost; what must not be is stored. */
export interface Bus {
  /**
   * Hands `message`, which JSON can hold, to this process's listeners before it returns, and a copy
   * to other processes' soon.
   */
  publish(channel: string, message: unknown): void;
  subscribe(channel: string, listener: BusListener): Subscription;
  /** `listener` runs whenever other processes may have said something that was not heard here. */
  onMissed(listener: () => void): void;
  /** Whether other processes can be heard; always true when there are none. */
  connected(): boolean;
  close(): Promise<void>;
}

/** A bus that counts what it carries. */
export interface CountedBus extends Bus {
  measure: Measure;
}

export type BusListener = (message: unknown) => void;

export interface Subscription {
  /** Resolves when other processes' messages arrive too. */
  ready: Promise<void>;
  stop(): void;
}

/** Listeners by channel: the part that both buses share. */
export interface Listeners {
  add(channel: string, listener: BusListener): void;
  /** Returns true when it was the channel's last listener. */
  remove(channel: string, listener: BusListener): boolean;
  tell(channel: string, message: unknown): void;
  channels(): string[];
}

export function createListeners(): Listeners {
  const byChannel = new Map<string, Set<BusListener>>();
  return {
    add: (channel, listener) => {
      const known = byChannel.get(channel);
      if (known === undefined) byChannel.set(channel, new Set([listener]));
      else known.add(listener);
    },
    remove: (channel, listener) => {
      const known = byChannel.get(channel);
      if (known === undefined || !known.delete(listener) || known.size > 0) return false;
      return byChannel.delete(channel);
    },
    tell: (channel, message) => {
      for (const listener of byChannel.get(channel) ?? []) listener(message);
    },
    channels: () => [...byChannel.keys()],
  };
}

/** The bus of a process that is alone. */
export function createMemoryBus(): CountedBus {
  const listeners = createListeners();
  let published = 0;
  return {
    measure: () => [busMessages(published, 0)],
    publish: (channel, message) => {
      published++;
      listeners.tell(channel, message);
    },
    subscribe: (channel, listener) => {
      listeners.add(channel, listener);
      return { ready: Promise.resolve(), stop: () => void listeners.remove(channel, listener) };
    },
    onMissed: () => {},
    connected: () => true,
    close: () => Promise.resolve(),
  };
}

/** What a bus has carried, as it is told. */
export function busMessages(published: number, received: number) {
  return counter(
    "earshot_bus_messages_total",
    "Messages between parts and processes: said here, and heard from other processes.",
    [
      [{ direction: "published" }, published],
      [{ direction: "received" }, received],
    ],
  );
}
