import { type ReadonlySignal, type Signal, batch, signal } from "@preact/signals";
import type { MessageFrame } from "../../features/chat/model.ts";
import { type Said, changedSaid, isChange, saidOf } from "./said.ts";

/** Neighbours that are drawn together, so that one new message does not redraw all of a long room. */
export interface Block {
  key: number;
  said: ReadonlySignal<readonly Said[]>;
}

/** What was said in a room, as far as it is loaded. */
export interface History {
  blocks: ReadonlySignal<readonly Block[]>;
  hasEarlier: ReadonlySignal<boolean>;
  /** Takes new messages, in their order; answers what became of those that are no changes. */
  add(messages: readonly MessageFrame[]): Said[];
  /** Loads older messages by `load`, one page at a time; throws what that throws. */
  addEarlier(load: LoadEarlier): Promise<void>;
  /** The offset of the newest. */
  newest(): number;
  clear(): void;
}

export type LoadEarlier = (
  before: number,
) => Promise<{ messages: readonly MessageFrame[]; more: boolean }>;

interface OwnBlock extends Block {
  said: Signal<readonly Said[]>;
}

const BLOCK_MESSAGES = 50;

export function createHistory(): History {
  const blocks = signal<readonly OwnBlock[]>([]);
  const hasEarlier = signal(false);
  /** Edits and removals by their target, which may be loaded after them. */
  const changes = new Map<number, MessageFrame>();
  const places = new Map<number, OwnBlock>();
  let keys = 0;
  let newest = 0;
  let earliest = 0;
  let isLoading = false;

  const change = (event: MessageFrame): void => {
    if (event.target === undefined) return;
    changes.set(event.target, event);
    const block = places.get(event.target);
    if (block === undefined) return;
    block.said.value = block.said.value.map((one) =>
      one.id === event.target ? changedSaid(one, event) : one,
    );
  };

  const shown = (message: MessageFrame): Said => {
    const event = changes.get(message.id);
    const said = saidOf(message);
    return event === undefined ? said : changedSaid(said, event);
  };

  const createBlock = (said: readonly Said[]): OwnBlock => ({ key: ++keys, said: signal(said) });

  const append = (message: MessageFrame): Said => {
    const said = shown(message);
    let block = blocks.value.at(-1);
    if (block === undefined || block.said.value.length >= BLOCK_MESSAGES) {
      block = createBlock([]);
      blocks.value = [...blocks.value, block];
    }
    places.set(message.id, block);
    block.said.value = [...block.said.value, said];
    return said;
  };

  return {
    blocks,
    hasEarlier,
    newest: () => newest,
    add: (messages) => {
      const added: Said[] = [];
      for (const message of messages) {
        newest = message.offset;
        if (earliest === 0) {
          earliest = message.offset;
          hasEarlier.value = earliest > 1;
        }
        if (isChange(message)) change(message);
        else added.push(append(message));
      }
      return added;
    },
    addEarlier: async (load) => {
      if (isLoading || earliest === 0) return;
      isLoading = true;
      try {
        const before = earliest;
        const { messages, more } = await load(before);
        // The room was shown anew meanwhile: these belong to what is gone.
        if (earliest !== before) return;
        earliest = messages[0]?.offset ?? earliest;
        batch(() => {
          for (const message of messages) {
            // A later change of the same message is known already.
            if (message.target !== undefined && !changes.has(message.target)) change(message);
          }
          const older = messages.filter((message) => !isChange(message)).map(shown);
          const block = createBlock(older);
          for (const { id } of older) if (id !== null) places.set(id, block);
          if (older.length > 0) blocks.value = [block, ...blocks.value];
          hasEarlier.value = more && messages.length > 0;
        });
      } finally {
        isLoading = false;
      }
    },
    clear: () => {
      earliest = 0;
      blocks.value = [];
      places.clear();
      changes.clear();
    },
  };
}
