import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { reasonOf } from "../api.ts";
import { Problem } from "../parts/problem.tsx";

interface InPlaceProps {
  label: string;
  value: string;
  maxLength?: number;
  /** Throws what is to be shown; what was typed stays. */
  onSave(text: string): Promise<void>;
  onClose(): void;
}

/** Edits a text where it stands: Enter keeps it, Escape leaves it as it was. */
export function InPlace({ label, value, maxLength, onSave, onClose }: InPlaceProps) {
  const text = useSignal(value);
  const problem = useSignal<string | null>(null);
  const isSaving = useSignal(false);
  const field = useRef<HTMLTextAreaElement>(null);
  // Before anything is painted: whoever types at once loses no letter.
  useLayoutEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(value.length, value.length);
  }, []);

  const save = async (): Promise<void> => {
    if (isSaving.value) return;
    if (text.value.trim() === value.trim()) return onClose();
    isSaving.value = true;
    try {
      await onSave(text.value.trim());
      onClose();
    } catch (error) {
      problem.value = reasonOf(error);
      isSaving.value = false;
    }
  };

  return (
    <form
      class="in-place stack tight"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <textarea
        class="input"
        ref={field}
        aria-label={label}
        rows={1}
        enterkeyhint="done"
        dir="auto"
        value={text.value}
        {...(maxLength !== undefined && { maxLength })}
        onInput={({ currentTarget }) => {
          text.value = currentTarget.value;
        }}
        onKeyDown={(event) => {
          // An open word of an input method is finished by these keys first.
          if (event.isComposing) return;
          if (event.key === "Escape") onClose();
          if (event.key !== "Enter" || event.shiftKey) return;
          event.preventDefault();
          void save();
        }}
      />
      <Problem text={problem.value} />
      <div class="row">
        <button type="submit" class="button main" disabled={isSaving.value}>
          {isSaving.value ? "Saving…" : "Save"}
        </button>
        <button type="button" class="button plain" onClick={onClose}>
          Cancel
        </button>
        <span class="muted small in-place-keys">Enter saves, Escape leaves it as it was</span>
      </div>
    </form>
  );
}

/** Gives the keyboard back to the button that began an edit. */
export function useFocusAfter(isEditing: boolean) {
  const button = useRef<HTMLButtonElement>(null);
  const was = useRef(isEditing);
  useLayoutEffect(() => {
    if (was.current && !isEditing) button.current?.focus();
    was.current = isEditing;
  }, [isEditing]);
  return button;
}
