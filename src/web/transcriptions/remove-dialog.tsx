import { useSignal } from "@preact/signals";
import type { Transcription } from "../../features/transcription/model.ts";
import { reasonOf } from "../api.ts";
import { useApp } from "../context.ts";
import { Dialog } from "../parts/dialog.tsx";
import { Problem } from "./cards.tsx";
import { countOf, nameOf } from "./told.tsx";
import type { OpenTranscription } from "./transcription-state.ts";

interface RemoveDialogProps {
  row: Transcription;
  transcription: OpenTranscription;
  onClose(): void;
}

/** Asks once more; nothing brings a deleted one back. */
export function RemoveDialog({ row, transcription, onClose }: RemoveDialogProps) {
  const { router } = useApp();
  const problem = useSignal<string | null>(null);
  const remove = async (): Promise<void> => {
    try {
      await transcription.remove();
      router.go("/transcriptions", "replace");
    } catch (error) {
      problem.value = reasonOf(error);
    }
  };
  return (
    <Dialog title="Delete it for good?" onClose={onClose}>
      <p>
        <b dir="auto">{nameOf(row)}</b>, {countOf(row.word_count, "word")} with everything that was
        changed in them. Nothing brings them back.
      </p>
      <Problem text={problem.value} />
      <div class="row">
        <button type="button" class="button danger" onClick={() => void remove()}>
          Delete it
        </button>
        <button type="button" class="button plain" onClick={onClose}>
          Keep it
        </button>
      </div>
    </Dialog>
  );
}
