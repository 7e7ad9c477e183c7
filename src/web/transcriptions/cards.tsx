import type { Transcription } from "../../features/transcription/model.ts";
import { Facts, StatusBadge, nameOf, transcriptionAddress } from "./told.tsx";

/** So much of the beginning is shown in the list; lines past the second are cut anyway. */
const EXCERPT_CHARACTERS = 400;

/** A transcription in the list. */
export function TranscriptionCard({ row }: { row: Transcription }) {
  const isTitled = row.title !== null && row.title.trim() !== "";
  const isExcerptShown = isTitled && row.transcription.trim() !== "";
  return (
    <a class="card transcription-card" href={transcriptionAddress(row.id)}>
      <span class="row">
        <b dir="auto">{nameOf(row)}</b>
        <StatusBadge status={row.status} />
      </span>
      {isExcerptShown && (
        <span class="excerpt" dir="auto" lang={row.language}>
          {row.transcription.slice(0, EXCERPT_CHARACTERS)}
        </span>
      )}
      <Facts row={row} />
    </a>
  );
}
