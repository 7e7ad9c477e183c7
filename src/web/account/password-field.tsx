import { type Signal, useSignal } from "@preact/signals";
import { useId } from "preact/hooks";

interface PasswordFieldProps {
  label: string;
  value: Signal<string>;
  autocomplete: "current-password" | "new-password";
  /** Whether one types here first. */
  isFirst?: boolean;
  /** What a password must be like. */
  hint?: string;
}

/** A password, which can be looked at. */
export function PasswordField({
  label,
  value,
  autocomplete,
  isFirst = false,
  hint,
}: PasswordFieldProps) {
  const isShown = useSignal(false);
  const id = useId();
  const attributes = {
    id,
    class: "input",
    name: autocomplete,
    value: value.value,
    autocomplete,
    autocapitalize: "none",
    spellcheck: false,
    required: true,
    autofocus: isFirst,
    "aria-describedby": hint === undefined ? undefined : `${id}-hint`,
    onInput: ({ currentTarget }: { currentTarget: HTMLInputElement }) => {
      value.value = currentTarget.value;
    },
  } as const;
  return (
    <div class="field">
      <label class="label" for={id}>
        {label}
      </label>
      <span class="enter">
        {isShown.value ? (
          <input {...attributes} type="text" />
        ) : (
          <input {...attributes} type="password" />
        )}
        <button
          type="button"
          class="button"
          aria-pressed={isShown.value}
          aria-controls={id}
          onClick={() => {
            isShown.value = !isShown.value;
          }}
        >
          Show<span class="spoken"> {label.toLowerCase()}</span>
        </button>
      </span>
      {hint !== undefined && (
        <span class="muted small" id={`${id}-hint`}>
          {hint}
        </span>
      )}
    </div>
  );
}

/** The server counts exactly; this keeps the obvious from being sent. */
export const PASSWORD_CHARACTERS_MIN = 8;
export const PASSWORD_HINT = "At least 8 characters. Several words are good.";
export const NAME_HINT = "Up to 50 characters, in any language. Everybody sees it.";
