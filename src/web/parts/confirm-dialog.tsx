import type { ComponentChildren } from "preact";
import { Dialog } from "./dialog.tsx";
import { Outcome, useDoing } from "./doing.tsx";

interface ConfirmDialogProps {
  title: string;
  /** What the button that does it says. */
  action: string;
  /** What the button that leaves it be says. */
  keep: string;
  /** Throws what is to be shown; otherwise the dialog closes. */
  onConfirm(): Promise<void>;
  onClose(): void;
  children: ComponentChildren;
}

/** Asks once more before something that cannot be taken back. */
export function ConfirmDialog(props: ConfirmDialogProps) {
  const { title, action, keep, onConfirm, onClose, children } = props;
  const doing = useDoing();
  const confirm = async (): Promise<null> => {
    await onConfirm();
    onClose();
    return null;
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <p class="long">{children}</p>
      <Outcome of={doing} />
      <div class="row">
        <button
          type="button"
          class="button danger"
          aria-busy={doing.isBusy.value}
          onClick={() => doing.run(confirm)}
        >
          {action}
        </button>
        <button type="button" class="button plain" onClick={onClose}>
          {keep}
        </button>
      </div>
    </Dialog>
  );
}
