import { type NewPost, ROOM_PUBLICATION, TRANSCRIPTIONS_PUBLICATION } from "./model.ts";
import type { ReadSaid } from "./sources.ts";

/** Rows of something that was said here, as whoever keeps them gives them. */
type ReadRows<Row> = (
  after: number,
  limit: number,
) => Promise<{ reached: number; said: Row[] } | null>;

interface SaidRow {
  id: number;
  text: string;
  at: number;
}

interface RoomRow extends SaidRow {
  room: string;
}

/** The messages and captions of a room are posts of its own publication. */
export function roomSource(read: ReadRows<RoomRow>): ReadSaid {
  return source(read, ({ room }) => `${ROOM_PUBLICATION}${room}`);
}

/** What is transcribed, but not into a room, is one publication, whoever said it. */
export function transcriptionSource(read: ReadRows<SaidRow>): ReadSaid {
  return source(read, () => TRANSCRIPTIONS_PUBLICATION);
}

function source<Row extends SaidRow>(
  read: ReadRows<Row>,
  publicationOf: (row: Row) => string,
): ReadSaid {
  return async (after, limit) => {
    const rows = await read(after, limit);
    if (rows === null) return null;
    const posts = rows.said.flatMap((row): NewPost[] => {
      if (row.text.trim() === "") return [];
      const { id, text, at } = row;
      return [
        { content: text, publication: publicationOf(row), externalId: String(id), publishedAt: at },
      ];
    });
    return { reached: rows.reached, posts };
  };
}
