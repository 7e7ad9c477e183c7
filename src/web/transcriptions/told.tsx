import type { Transcription } from "../../features/transcription/model.ts";
import { Icon } from "../parts/icon.tsx";
import { counted } from "../parts/numbers.ts";
import { lengthOf, momentOf } from "../parts/times.ts";
import { roomAddress } from "../router.ts";

// How a transcription is told in a line, in the list and on its own page.

const NAMED_CHARACTERS_MAX = 80;
const languages = new Intl.DisplayNames(["en"], { type: "language", fallback: "code" });

export const transcriptionAddress = (id: number): string => `/transcriptions/${id}`;

/** Its title, or the words it begins with. */
export function nameOf({ title, transcription }: Transcription): string {
  if (title !== null && title.trim() !== "") return title;
  const [line = ""] = transcription.trim().split("\n", 1);
  if (line === "") return "Without words";
  const words = Array.from(line.slice(0, 2 * NAMED_CHARACTERS_MAX));
  if (words.length <= NAMED_CHARACTERS_MAX) return line;
  const start = words.slice(0, NAMED_CHARACTERS_MAX).join("");
  return `${start.slice(0, Math.max(start.lastIndexOf(" "), 20))}…`;
}

export function languageOf(tag: string): string {
  try {
    return languages.of(tag) ?? tag;
  } catch {
    return tag;
  }
}

/** When, how long, how many words, in which language and where. */
export function Facts({ row, isLinked = false }: { row: Transcription; isLinked?: boolean }) {
  const { created_at: createdAt, duration_ms: durationMs, word_count: words, room } = row;
  return (
    <span class="facts muted small">
      <time dateTime={new Date(createdAt).toISOString()}>{momentOf(createdAt)}</time>
      {durationMs > 0 && <span>{lengthOf(durationMs)}</span>}
      <span>{counted(words, "word")}</span>
      <span>{languageOf(row.language)}</span>
      {room !== null && (
        <span dir="auto">in {isLinked ? <a href={roomAddress(room)}>{room}</a> : room}</span>
      )}
    </span>
  );
}

/** Whether it is still being spoken, or broke off. */
export function StatusBadge({ status }: { status: Transcription["status"] }) {
  if (status === "done") return null;
  if (status === "interrupted") return <span class="badge">broke off</span>;
  return (
    <span class="badge live">
      <Icon name="microphone" />
      live
    </span>
  );
}
