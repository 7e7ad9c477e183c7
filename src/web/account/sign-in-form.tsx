import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { useApp } from "../context.ts";
import { Outcome, useDoing } from "../parts/doing.tsx";
import {
  NAME_HINT,
  PASSWORD_CHARACTERS_MIN,
  PASSWORD_HINT,
  PasswordField,
} from "./password-field.tsx";

interface SignInFormProps {
  /** Whether an account is made. */
  isNew: boolean;
  /** Who is expected. */
  knownName?: string;
}

/** Name and password, as password managers know them. */
export function SignInForm({ isNew, knownName = "" }: SignInFormProps) {
  const { session } = useApp();
  const name = useSignal(knownName);
  const password = useSignal("");
  const nameField = useRef<HTMLInputElement>(null);
  const doing = useDoing();
  const { problem } = doing;

  // Another form, as this one is when an account is made, has nothing to complain of yet.
  useEffect(() => {
    problem.value = null;
    if (knownName === "") nameField.current?.focus();
  }, [isNew]);

  const enter = async (): Promise<null> => {
    const given = name.value.trim();
    if (isNew && [...password.value].length < PASSWORD_CHARACTERS_MIN) {
      throw new Error(`A password has at least ${PASSWORD_CHARACTERS_MIN} characters`);
    }
    await (isNew ? session.register(given, password.value) : session.signIn(given, password.value));
    return null;
  };

  return (
    <form
      class="stack"
      method="post"
      onSubmit={(event) => {
        event.preventDefault();
        doing.run(enter);
      }}
    >
      <label class="field">
        <span>Name</span>
        <input
          ref={nameField}
          class="input"
          name="username"
          autocomplete="username"
          autocapitalize="none"
          spellcheck={false}
          dir="auto"
          required
          value={name.value}
          onInput={({ currentTarget }) => {
            name.value = currentTarget.value;
          }}
        />
        {isNew && <span class="muted small">{NAME_HINT}</span>}
      </label>
      <PasswordField
        key={String(isNew)}
        label="Password"
        value={password}
        isFirst={knownName !== ""}
        autocomplete={isNew ? "new-password" : "current-password"}
        {...(isNew && { hint: PASSWORD_HINT })}
      />
      <Outcome of={doing} />
      <button type="submit" class="button main" aria-busy={doing.isBusy.value}>
        {isNew ? "Make the account" : "Sign in"}
      </button>
    </form>
  );
}
