import { useSignal } from "@preact/signals";
import { useApp } from "../context.ts";
import { Outcome, useDoing } from "../parts/doing.tsx";
import { PASSWORD_CHARACTERS_MIN, PASSWORD_HINT, PasswordField } from "./password-field.tsx";

/** A new password in the place of the old one. */
export function PasswordSection({ name }: { name: string }) {
  const { api } = useApp();
  const password = useSignal("");
  const next = useSignal("");
  const doing = useDoing();

  const change = async (): Promise<string> => {
    if ([...next.value].length < PASSWORD_CHARACTERS_MIN) {
      throw new Error(`A password has at least ${PASSWORD_CHARACTERS_MIN} characters`);
    }
    const body = { password: password.value, new_password: next.value };
    await api.send("PATCH", "/v1/auth/me", body);
    password.value = "";
    next.value = "";
    return "The password is changed. Everywhere else you are signed out.";
  };

  return (
    <section class="card stack" aria-labelledby="password-heading">
      <h2 id="password-heading">Password</h2>
      <form
        class="stack"
        method="post"
        onSubmit={(event) => {
          event.preventDefault();
          doing.run(change);
        }}
      >
        {/* Password managers want to know whose it is. */}
        <input type="text" name="username" autocomplete="username" value={name} readOnly hidden />
        <PasswordField
          label="Password until now"
          value={password}
          autocomplete="current-password"
        />
        <PasswordField
          label="New password"
          value={next}
          autocomplete="new-password"
          hint={PASSWORD_HINT}
        />
        <Outcome of={doing} />
        <div class="row">
          <button
            type="submit"
            class="button"
            disabled={password.value === "" || next.value === ""}
            aria-busy={doing.isBusy.value}
          >
            Change the password
          </button>
        </div>
      </form>
    </section>
  );
}
