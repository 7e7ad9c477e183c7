import { useSignal } from "@preact/signals";
import { useApp } from "../context.ts";
import type { Person } from "../session.ts";
import { Outcome, useDoing } from "./doing.tsx";
import { NAME_HINT } from "./password-field.tsx";

/** What others call one, and the number by which one is let into a room. */
export function NameSection({ person }: { person: Person }) {
  const { api, session } = useApp();
  const name = useSignal(person.name);
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
    <section class="card stack" aria-labelledby="name-heading">
      <h2 id="name-heading">Name and number</h2>
      <form
        class="stack tight"
        onSubmit={(event) => {
          event.preventDefault();
          doing.run(save);
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
      <p>
        Your number is <b class="number">{person.id}</b>.{" "}
        <span class="muted">Tell it to whoever wants to let you into a private room.</span>
      </p>
    </section>
  );
}
