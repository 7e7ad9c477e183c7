import type { Transcription } from "../../features/transcription/model.ts";
import { useApp } from "../context.ts";
import { ConfirmDialog } from "../parts/confirm-dialog.tsx";
import { counted } from "../parts/numbers.ts";
import { nameOf } from "./told.tsx";
import type { OpenTranscription } from "./transcription-state.ts";

interface RemoveDialogProps {
  row: Transcription;
  transcription: OpenTranscription;
  onClose(): void;
}

/** Asks once more; nothing brings a deleted one back. */
export function RemoveDialog({ row, transcription, onClose }: RemoveDialogProps) {
  const { router } = useApp();
  return (
    <ConfirmDialog
      title="Delete it for good?"
      action="Delete it"
      keep="Keep it"
      onClose={onClose}
      onConfirm={async () => {
        await transcription.remove();
        router.go("/transcriptions", "replace");
      }}
    >
      <b dir="auto">{nameOf(row)}</b>, {counted(row.word_count, "word")} with everything that was
      changed in them. Nothing brings them back.
    </ConfirmDialog>
  );
}
