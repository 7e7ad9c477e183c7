import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { useApp } from "../context.ts";
import { Outcome, useDoing } from "../parts/doing.tsx";
import type { MadeKey } from "./keys-page.tsx";

const SCOPES: readonly ["posts" | "audio", string][] = [
  ["posts", "Posts: send texts whose topics are counted"],
  ["audio", "Sound: transcribe files and streams"],
];

/** Makes a key, and shows it this once. */
export function NewKey({ onMade }: { onMade(): void }) {
  const { api } = useApp();
  const name = useSignal("");
  const scopes = useSignal<readonly string[]>(SCOPES.map(([scope]) => scope));
  const made = useSignal<MadeKey | null>(null);
  const doing = useDoing();
  const nameField = useRef<HTMLInputElement>(null);
  const isMade = useRef(false);
  useEffect(() => {
    // Back from the key that was shown: the next one begins with its name.
    if (isMade.current && made.value === null) nameField.current?.focus();
    isMade.current = made.value !== null;
  }, [made.value]);

  const make = async (): Promise<null> => {
    const body = { name: name.value.trim(), scopes: scopes.value };
    made.value = await api.send<MadeKey>("POST", "/v1/keys", body);
    name.value = "";
    onMade();
    return null;
  };

  return (
    <section class="card stack" aria-labelledby="new-key-heading">
      <h2 id="new-key-heading">New key</h2>
      {made.value === null ? (
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault();
            doing.run(make);
          }}
        >
          <label class="field">
            <span>What it is for</span>
            <input
              class="input"
              ref={nameField}
              value={name.value}
              maxLength={100}
              autocomplete="off"
              dir="auto"
              placeholder="news feed"
              onInput={({ currentTarget }) => {
                name.value = currentTarget.value;
              }}
            />
          </label>
          <fieldset class="checks">
            <legend>What it opens</legend>
            {SCOPES.map(([scope, label]) => (
              <label class="check" key={scope}>
                <input
                  type="checkbox"
                  checked={scopes.value.includes(scope)}
                  onChange={({ currentTarget }) => {
                    const others = scopes.value.filter((one) => one !== scope);
                    scopes.value = currentTarget.checked ? [...others, scope] : others;
                  }}
                />
                {label}
              </label>
            ))}
          </fieldset>
          <Outcome of={doing} />
          <div class="row">
            <button
              type="submit"
              class="button main"
              disabled={name.value.trim() === "" || scopes.value.length === 0}
              aria-busy={doing.isBusy.value}
            >
              Make the key
            </button>
          </div>
        </form>
      ) : (
        <ShownKey
          made={made.value}
          onDone={() => {
            made.value = null;
          }}
        />
      )}
    </section>
  );
}

function ShownKey({ made, onDone }: { made: MadeKey; onDone(): void }) {
  const field = useRef<HTMLInputElement>(null);
  const isCopied = useSignal(false);
  useEffect(() => field.current?.select(), []);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(made.key);
    isCopied.value = true;
  };
  return (
    <div class="stack">
      <label class="field">
        <span>
          The key for <span dir="auto">{made.name}</span>
        </span>
        <input class="input key" ref={field} readOnly value={made.key} />
      </label>
      <p class="notice" role="status">
        Copy it now: it is shown only this once.
      </p>
      <div class="row">
        {/* Browsers lend the clipboard to pages from https or this machine only. */}
        {"clipboard" in navigator && (
          <button type="button" class="button main" onClick={() => void copy()}>
            {isCopied.value ? "Copied" : "Copy the key"}
          </button>
        )}
        <button type="button" class="button" onClick={onDone}>
          I have it
        </button>
      </div>
    </div>
  );
}
