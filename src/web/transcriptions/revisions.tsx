import type { Revision, Revisions } from "../../features/transcription/kept-model.ts";
import { useSignal } from "@preact/signals";
import { useApp } from "../context.ts";
import { Dialog } from "../parts/dialog.tsx";
import { lengthOf, momentOf } from "../parts/times.ts";
import { MoreButton } from "../parts/more-button.tsx";
import { usePages } from "../parts/pages.ts";
import type { OpenTranscription } from "./transcription-state.ts";
import { Problem } from "../parts/problem.tsx";

const PAGE_ROWS = 20;

interface RevisionsDialogProps {
  id: number;
  transcription: OpenTranscription;
  onClose(): void;
}

/** What edits replaced, newest first, and the words before any of them. */
export function RevisionsDialog({ id, transcription, onClose }: RevisionsDialogProps) {
  const { api, session } = useApp();
  const original = useSignal("");
  const revisions = usePages<Revision>(
    async (after, signal) => {
      const asked = { limit: PAGE_ROWS, after };
      const path = `/v1/transcriptions/${id}/revisions`;
      const page = await api.get<Revisions>(path, asked, signal);
      original.value = page.original;
      return { rows: page.revisions, next: page.next };
    },
    [id],
  );
  const rows = revisions.rows.value;
  const me = session.person.value?.id;
  return (
    <Dialog title="What changed" onClose={onClose}>
      <Problem text={revisions.error.value} />
      {rows === null && revisions.error.value === null && <p class="muted">Looking…</p>}
      {rows?.length === 0 && <p class="muted">Nobody has changed anything.</p>}
      {rows !== null && rows.length > 0 && (
        <>
          <ol class="stack listed">
            {rows.map((revision) => (
              <li key={revision.id} class="stack tight">
                <p class="facts muted small">
                  <b>{placeOf(revision, transcription)}</b>
                  <time dateTime={new Date(revision.at).toISOString()}>
                    {momentOf(revision.at)}
                  </time>
                  <span>{revision.user_id === me ? "by you" : `by user ${revision.user_id}`}</span>
                </p>
                <p class="before" dir="auto">
                  <span class="muted small">Before: </span>
                  {revision.text === null || revision.text === "" ? (
                    <i class="muted">nothing</i>
                  ) : (
                    revision.text
                  )}
                </p>
              </li>
            ))}
          </ol>
          <MoreButton
            label="Older ones"
            hasMore={revisions.hasMore.value}
            isLoading={revisions.isLoading.value}
            onMore={revisions.more}
          />
          <details>
            <summary>The words before any change</summary>
            <p class="before" dir="auto">
              {original.value}
            </p>
          </details>
        </>
      )}
    </Dialog>
  );
}

function placeOf(
  { what, segment_id: segmentId }: Revision,
  { segments }: OpenTranscription,
): string {
  if (what === "title") return "The title";
  if (what === "transcription") return "The whole text";
  const segment = segments.value?.find((one) => one.segment_id === segmentId);
  if (segment === undefined || segment.end_ms === 0) return "The words";
  return `The words at ${lengthOf(segment.start_ms)}`;
}
