import { type ReadonlySignal, signal } from "@preact/signals";
import type { User } from "./said.ts";

/** Words that are being spoken now. */
export interface Interim {
  segmentId: string;
  user: User;
  text: string;
  /** So many characters were the same before. */
  stable: number;
}

/** Who is in a room, and what they are doing at this moment. */
export interface Present {
  members: ReadonlySignal<readonly User[]>;
  typing: ReadonlySignal<readonly User[]>;
  interim: ReadonlySignal<readonly Interim[]>;
  /** The room was entered: those are here, and nobody is known to be speaking. */
  enter(members: readonly User[]): void;
  come(user: User): void;
  go(user: User): void;
  startTyping(user: User): void;
  stopTyping(user: User): void;
  speak(user: User, segmentId: string, text: string): void;
  /** What was spoken is written down now. */
  stopSpeaking(segmentId: string): void;
  close(): void;
}

/** Somebody who wrote nothing more for so long is not typing. */
const TYPING_MS = 5_000;
/** Words whose end never came, as when the speaker's line broke. */
const INTERIM_MS_MAX = 15_000;

export function createPresent(): Present {
  const members = signal<readonly User[]>([]);
  const typing = signal<readonly User[]>([]);
  const interim = signal<readonly Interim[]>([]);
  const timers = new Map<string, ReturnType<typeof setTimeout>>();

  const forgetLater = (key: string, afterMs: number, forget: () => void): void => {
    clearTimeout(timers.get(key));
    timers.set(key, setTimeout(forget, afterMs));
  };
  const isForgotten = (key: string): void => {
    clearTimeout(timers.get(key));
    timers.delete(key);
  };

  const stopSpeaking = (segmentId: string): void => {
    isForgotten(segmentId);
    if (!interim.value.some((one) => one.segmentId === segmentId)) return;
    interim.value = interim.value.filter((one) => one.segmentId !== segmentId);
  };

  const stopTyping = ({ id }: User): void => {
    isForgotten(`typing ${id}`);
    if (!typing.value.some((one) => one.id === id)) return;
    typing.value = typing.value.filter((one) => one.id !== id);
  };

  const without = ({ id }: User): User[] => members.value.filter((one) => one.id !== id);

  return {
    members,
    typing,
    interim,
    enter: (here) => {
      members.value = here;
      interim.value = [];
    },
    come: (user) => {
      members.value = [...without(user), user];
    },
    go: (user) => {
      members.value = without(user);
      stopTyping(user);
    },
    startTyping: (user) => {
      const others = typing.value.filter(({ id }) => id !== user.id);
      typing.value = [...others, user];
      forgetLater(`typing ${user.id}`, TYPING_MS, () => stopTyping(user));
    },
    stopTyping,
    speak: (user, segmentId, text) => {
      if (text === "") return stopSpeaking(segmentId);
      const before = interim.value.find((one) => one.segmentId === segmentId);
      const next = { segmentId, user, text, stable: sameCharacters(before?.text ?? "", text) };
      interim.value =
        before === undefined
          ? [...interim.value, next]
          : interim.value.map((one) => (one === before ? next : one));
      forgetLater(segmentId, INTERIM_MS_MAX, () => stopSpeaking(segmentId));
    },
    stopSpeaking,
    close: () => {
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    },
  };
}

/** How many characters two texts share at their beginning, up to the last whole word. */
function sameCharacters(before: string, after: string): number {
  let same = 0;
  while (same < before.length && before[same] === after[same]) same++;
  return same === after.length ? same : after.lastIndexOf(" ", same) + 1;
}
