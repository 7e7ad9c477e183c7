import type { CrowdReport, HeardMessage } from "./crowd.ts";
import type { Frame } from "./socket.ts";
import { wordsIn } from "./speaker.ts";
import { externalIdOf } from "./topics-load.ts";
import { rowsIn } from "./topics.ts";

// Whether everything that was promised is in the database.

/** What members know of messages. */
export interface Kept {
  acknowledged: CrowdReport["acknowledged"];
  heard: HeardMessage[];
}

/** `reached`: also whether every member has heard everything. */
export function lostMessages(
  folder: string,
  { acknowledged, heard }: Kept,
  reached: Record<string, number> | null = null,
): string[] {
  const wrong: string[] = [];
  const rooms = rowsIn<{ name: string; head: number; rows: number; last: number }>(
    folder,
    `SELECT name, head, count(m.id) AS rows, coalesce(max(m.offset), 0) AS last
      FROM rooms LEFT JOIN messages AS m ON room_id = rooms.id GROUP BY rooms.id`,
  );
  for (const { name, head, rows, last } of rooms) {
    // An offset is there once, by the index; so as many as the highest one are all of them.
    if (rows !== last || last !== head) {
      wrong.push(`${name} has ${rows} messages up to ${last}, and its head is ${head}`);
    }
    if (reached !== null && reached[name] !== head) {
      wrong.push(`somebody in ${name} is at ${reached[name]} of ${head}`);
    }
  }
  const messages = new Map(
    rowsIn<HeardMessage>(
      folder,
      `SELECT name AS room, epoch, offset, m.id, client_id AS clientId, user_id AS userId, text
        FROM messages AS m JOIN rooms ON rooms.id = room_id`,
    ).map((message) => [`${message.room} ${message.offset}`, message]),
  );
  for (const message of heard) {
    if (!Bun.deepEquals(messages.get(`${message.room} ${message.offset}`), message)) {
      wrong.push(`heard and not kept: ${message.room} ${message.offset}`);
    }
  }
  for (const { room, offset, id, clientId, userId } of acknowledged) {
    const message = messages.get(`${room} ${offset}`);
    if (message?.id !== id || message.clientId !== clientId || message.userId !== userId) {
      wrong.push(`acknowledged and not kept: ${clientId} in ${room}`);
    }
  }
  return wrong;
}

/** `ids`: what single posts were answered with, once all that were begun are acknowledged. */
export function lostPosts(
  folder: string,
  numbers: readonly number[],
  ids: ReadonlyMap<string, number> | null = null,
): string[] {
  const rows = rowsIn<{ external_id: string; id: number }>(
    folder,
    "SELECT external_id, id FROM posts",
  );
  const posts = new Map(rows.map(({ external_id, id }) => [external_id, id]));
  const wrong: string[] = [];
  if (posts.size !== rows.length) wrong.push(`${rows.length - posts.size} posts are there twice`);
  const lost = numbers.filter((n) => !posts.has(externalIdOf(n)));
  if (lost.length > 0) wrong.push(`${lost.length} acknowledged posts are lost`);
  if (ids === null) return wrong;
  if (posts.size !== numbers.length) {
    wrong.push(`${posts.size} posts are kept, ${numbers.length} were acknowledged`);
  }
  const moved = [...ids].filter(([externalId, id]) => posts.get(externalId) !== id);
  if (moved.length > 0) wrong.push(`${moved.length} posts have another id than was told`);
  return wrong;
}

/** `isOver`: the sessions were stopped by those who spoke, and all is told. */
export function lostWords(folder: string, spoken: readonly Frame[][], isOver: boolean): string[] {
  const wrong: string[] = [];
  const rows = rowsIn<{ id: number; status: string; transcription: string }>(
    folder,
    "SELECT id, status, transcription FROM transcriptions ORDER BY id",
  );
  for (const { id, status } of rows) {
    if (status === "live" || (isOver && status !== "done")) {
      wrong.push(`transcription ${id} is ${status}`);
    }
  }
  const segments = new Map(
    rowsIn<{ segment_id: string; text: string }>(
      folder,
      "SELECT segment_id, text FROM segments",
    ).map(({ segment_id, text }) => [segment_id, text]),
  );
  const captions = rowsIn<{ client_id: string; text: string }>(
    folder,
    "SELECT client_id, text FROM messages WHERE kind = 'caption'",
  );
  for (const frames of spoken) {
    // A frame that a stop cut off has a number, too, and is not told again when it is no final.
    const numbers = frames.flatMap(({ seq }) => (typeof seq === "number" ? [seq] : []));
    if (numbers.some((seq, at) => at > 0 && seq <= (numbers[at - 1] ?? 0))) {
      wrong.push(`frames of a speaker came twice or in another order: ${numbers.join(" ")}`);
    }
    for (const frame of frames.filter(({ type }) => type === "final")) {
      const { segment_id: id, text } = frame;
      if (segments.get(String(id)) !== text) wrong.push(`a final is not kept: ${String(id)}`);
      const told = captions.filter((caption) => caption.client_id === id);
      if (told.length > 1 || (isOver && told.length === 0)) {
        wrong.push(`a final is ${told.length} times in its room: ${String(id)}`);
      }
    }
    const words = wordsIn(frames).replaceAll("\n", " ");
    if (isOver && !rows.some(({ transcription }) => transcription === words)) {
      wrong.push("a transcription is not what was told");
    }
  }
  return wrong;
}
