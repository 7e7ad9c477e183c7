import { useSignal } from "@preact/signals";
import { useApp } from "../context.ts";
import { Outcome, useDoing } from "../parts/doing.tsx";
import type { Person } from "../session.ts";
import { NAME_HINT } from "./password-field.tsx";

/** Another name; `isEmpty` where the present one is not worth changing a letter of. */
export function NameForm({ person, isEmpty = false }: { person: Person; isEmpty?: boolean }) {
  const { api, session } = useApp();
  const name = useSignal(isEmpty ? "" : person.name);
  const doing = useDoing();
  const given = name.value.trim();

  const save = async (): Promise<string> => {
    if (person.role === "guest") {
      await session.rename(given);
    } else {
      const renamed = await api.send<Person>("PATCH", "/v1/auth/me", { name: given });
      await session.rename(renamed.name);
      name.value = renamed.name;
    }
    return "From now on this is your name.";
  };

  return (
    <form
      class="stack tight"
      onSubmit={(event) => {
        event.preventDefault();
        if (given !== "") doing.run(save);
      }}
    >
      <label class="field">
        <span>Your name</span>
        <span class="enter">
          <input
            class="input"
            name="nickname"
            autocomplete="nickname"
            dir="auto"
            maxLength={100}
            value={name.value}
            aria-describedby="name-hint"
            onInput={({ currentTarget }) => {
              name.value = currentTarget.value;
            }}
          />
          <button
            type="submit"
            class="button main"
            disabled={given === "" || given === person.name}
          >
            Save
          </button>
        </span>
      </label>
      <p class="muted small" id="name-hint">
        {NAME_HINT}
      </p>
      <Outcome of={doing} />
    </form>
  );
}
