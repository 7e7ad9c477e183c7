import type { MessageFrame } from "../../features/chat/model.ts";

export type User = MessageFrame["user"];

/** Something that was said, as it is shown; a change makes a new object. */
export interface Said {
  /** The same while it is on its way and when it is there. */
  key: string;
  clientId: string;
  /** Null while it is on its way. */
  id: number | null;
  offset: number;
  user: User;
  kind: "text" | "caption";
  text: string;
  /** Unix milliseconds. */
  at: number;
  change: "edit" | "remove" | null;
}

/** Neighbours of one person within so long have one heading. */
const TOGETHER_MS = 300_000;
const START_CHARACTERS = 40;

/** Whether a message changes another one rather than being one itself. */
export function isChange({ kind }: MessageFrame): boolean {
  return kind === "edit" || kind === "remove";
}

export function saidOf({ id, client_id, offset, user, kind, text, at }: MessageFrame): Said {
  return {
    key: keyOf(user, client_id),
    clientId: client_id,
    id,
    offset,
    user,
    kind: kind === "caption" ? "caption" : "text",
    text,
    at,
    change: text === "" ? "remove" : null,
  };
}

/** A message of one's own that is not there yet. */
export function beginSaid(user: User, text: string, clientId: string, at: number): Said {
  return {
    key: keyOf(user, clientId),
    clientId,
    id: null,
    offset: Number.MAX_SAFE_INTEGER,
    user,
    kind: "text",
    text,
    at,
    change: null,
  };
}

export function changedSaid(said: Said, event: MessageFrame): Said {
  return { ...said, text: event.text, change: event.kind === "edit" ? "edit" : "remove" };
}

/** Whether two neighbours are drawn under one heading. */
export function isTogether(
  previous: Pick<Said, "user" | "at"> | null,
  next: Pick<Said, "user" | "at">,
): boolean {
  return previous?.user.id === next.user.id && next.at - previous.at < TOGETHER_MS;
}

/** The first words of a message, to name it by. */
export function startOf(text: string): string {
  const start = Array.from(text.slice(0, 2 * START_CHARACTERS))
    .slice(0, START_CHARACTERS)
    .join("");
  return start.length < text.length ? `${start}…` : text;
}

function keyOf({ id }: User, clientId: string): string {
  return `${id} ${clientId}`;
}
