import type { Caller } from "../../http/caller.ts";

/** One thing that was said. */
export interface Said {
  /** Null where there is only one who speaks, or nobody knows. */
  speaker: string | null;
  text: string;
}

/** What was said somewhere, in order; every second piece of it, every fourth… when it is too long. */
export interface Talk {
  said: Said[];
  /** A BCP 47 tag; null when nobody knows. */
  language: string | null;
}

/** More than three hours of speech. Of longer talks as much is read, evenly spread. */
export const TALK_CHARACTERS_MAX = 200_000;
/** A text is spread in pieces of so many characters. */
const PIECE_CHARACTERS_MAX = 2_000;
/** A shorter piece counts as much as one of so many characters, since each takes time of its own. */
const PIECE_CHARACTERS_MIN = 10;

/** A transcription's rows, as whoever keeps them gives them to those who may see them. */
export interface TranscriptionRows<Row extends { language: string }> {
  /** Throws `not_found`. */
  get(caller: Caller, id: number): Promise<Row>;
  segmentsAfter(
    row: Row,
    after: number,
  ): Promise<{ id: number; text: string; processed_text: string | null }[]>;
}

/** A room's messages, as whoever keeps them gives them to those who may see them. */
export interface RoomMessages {
  /** Throws `not_found`. */
  checkExists(room: string): Promise<void>;
  /** The last messages, and what was done to messages since. Throws `forbidden`. */
  history(
    caller: Caller,
    room: string,
    query: { limit?: number },
    answer: (page: { messages: RoomMessage[] }) => void,
  ): Promise<void>;
}

interface RoomMessage {
  id: number;
  user: { name: string };
  kind: "text" | "caption" | "edit" | "remove";
  target: number | null;
  text: string;
}

/** Makes what reads a transcription, a segment a line, cleaned where that is done already. */
export function transcriptionReader<Row extends { language: string }>(
  rows: TranscriptionRows<Row>,
): (caller: Caller, id: number) => Promise<Talk> {
  return async (caller, id) => {
    const row = await rows.get(caller, id);
    const kept = createEvenPart();
    for (let after = 0; ;) {
      const page = await rows.segmentsAfter(row, after);
      const last = page.at(-1);
      if (last === undefined) break;
      for (const { text, processed_text: processed } of page) kept.add(processed ?? text);
      after = last.id;
    }
    const said = kept.pieces().map((text) => ({ speaker: null, text }));
    return { said, language: row.language };
  };
}

/** Makes what reads the last messages of a room, as they were edited. */
export function roomReader({
  checkExists,
  history,
}: RoomMessages): (caller: Caller, room: string) => Promise<Talk> {
  return async (caller, room) => {
    await checkExists(room);
    let messages: RoomMessage[] = [];
    await history(caller, room, {}, (page) => {
      ({ messages } = page);
    });
    const said = new Map<number, Said>();
    for (const { id, user, kind, target, text } of messages) {
      const amended = target === null ? undefined : said.get(target);
      if (kind === "edit" && amended !== undefined) amended.text = text;
      else if (kind === "remove" && target !== null) said.delete(target);
      else if (target === null) said.set(id, { speaker: user.name, text });
    }
    return { said: [...said.values()].filter(({ text }) => text.trim() !== ""), language: null };
  };
}

/** Takes a text as it is read; keeps all of it, or as much as is allowed, evenly spread. */
function createEvenPart(): { add(text: string): void; pieces(): string[] } {
  let pieces: string[] = [];
  let characters = 0;
  let count = 0;
  let every = 1;
  const addPiece = (piece: string): void => {
    if (piece.trim() === "") return;
    if (count++ % every !== 0) return;
    pieces.push(piece);
    characters += weightOf(piece);
    while (characters > TALK_CHARACTERS_MAX && pieces.length > 1) {
      pieces = pieces.filter((_, at) => at % 2 === 0);
      characters = pieces.reduce((sum, one) => sum + weightOf(one), 0);
      every *= 2;
    }
  };
  return {
    add: (text) => {
      for (const line of text.split("\n")) {
        for (let at = 0; at < line.length;) {
          const end = endOfPiece(line, at);
          addPiece(line.slice(at, end));
          at = end;
        }
      }
    },
    pieces: () => pieces,
  };
}

function weightOf({ length }: string): number {
  return Math.max(length, PIECE_CHARACTERS_MIN);
}

/** Where a sentence ends, else a word, within the limit; a word that is longer is cut. */
function endOfPiece(line: string, start: number): number {
  const most = start + PIECE_CHARACTERS_MAX;
  if (line.length <= most) return line.length;
  const room = line.slice(start, most);
  const sentences = /^[^]*[.!?।]\s/u.exec(room)?.[0].length ?? 0;
  const words = room.lastIndexOf(" ") + 1;
  return start + (sentences || words || room.length);
}
