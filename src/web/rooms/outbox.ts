import { type ReadonlySignal, signal } from "@preact/signals";
import type { ChatRoom } from "../../client/chat.ts";
import { newId } from "../../client/ids.ts";
import { reasonOf } from "../api.ts";
import { type Said, type User, beginSaid } from "./said.ts";

/** A message that could not be sent. */
export interface Unsent {
  clientId: string;
  text: string;
  reason: string;
}

/** What this user says, until it is there. */
export interface Outbox {
  /** Messages that are on their way. */
  sending: ReadonlySignal<readonly Said[]>;
  unsent: ReadonlySignal<readonly Unsent[]>;
  say(text: string): void;
  sayAgain(unsent: Unsent): void;
  /** Gives up one that could not be sent. */
  forget(unsent: Unsent): void;
  /** These are there now. */
  arrived(said: readonly Said[]): void;
}

export interface OutboxDependencies {
  say: ChatRoom["say"];
  me(): User;
}

export function createOutbox({ say, me }: OutboxDependencies): Outbox {
  const sending = signal<readonly Said[]>([]);
  const unsent = signal<readonly Unsent[]>([]);

  const take = (keys: ReadonlySet<string>): void => {
    if (!sending.value.some(({ key }) => keys.has(key))) return;
    sending.value = sending.value.filter(({ key }) => !keys.has(key));
  };

  const send = (text: string, clientId: string): void => {
    const said = beginSaid(me(), text, clientId, Date.now());
    sending.value = [...sending.value, said];
    say(text, clientId).catch((error: unknown) => {
      take(new Set([said.key]));
      unsent.value = [...unsent.value, { clientId, text, reason: reasonOf(error) }];
    });
  };

  const forget = ({ clientId }: Unsent): void => {
    unsent.value = unsent.value.filter((one) => one.clientId !== clientId);
  };

  return {
    sending,
    unsent,
    forget,
    say: (text) => send(text, newId()),
    sayAgain: (failed) => {
      forget(failed);
      // The same id: had it arrived after all, it is not said twice.
      send(failed.text, failed.clientId);
    },
    arrived: (said) => take(new Set(said.map(({ key }) => key))),
  };
}
