import { useSignal } from "@preact/signals";
import { useApp } from "../context.ts";
import { Dialog } from "../parts/dialog.tsx";
import { Icon } from "../parts/icon.tsx";
import { Outcome, useDoing } from "../parts/doing.tsx";
import { PasswordField } from "./password-field.tsx";
import { saveFile } from "../parts/save-file.ts";

/** Everything that the server keeps of somebody: to have, or to be gone. */
export function BelongingsSection({ name }: { name: string }) {
  const { api } = useApp();
  const isErasing = useSignal(false);
  const doing = useDoing();

  const take = async (): Promise<string> => {
    const answer = await api.fetch("/v1/auth/me/export");
    saveFile(await answer.blob(), "earshot-account.json");
    return "It is in your downloads.";
  };

  return (
    <section class="card stack" aria-labelledby="belongings-heading">
      <h2 id="belongings-heading">What is kept of you</h2>
      <p class="muted">
        Your account, your messages, rooms and transcriptions, as one file that programs can read.
      </p>
      <Outcome of={doing} />
      <div class="row apart">
        <button type="button" class="button" onClick={() => doing.run(take)}>
          <Icon name="download" />
          {doing.isBusy.value ? "Gathering…" : "Download everything"}
        </button>
        <button
          type="button"
          class="button danger"
          onClick={() => {
            isErasing.value = true;
          }}
        >
          Erase the account…
        </button>
      </div>
      {isErasing.value && (
        <EraseDialog
          name={name}
          onClose={() => {
            isErasing.value = false;
          }}
        />
      )}
    </section>
  );
}

function EraseDialog({ name, onClose }: { name: string; onClose(): void }) {
  const { api, session } = useApp();
  const password = useSignal("");
  const doing = useDoing();
  const erase = async (): Promise<null> => {
    await api.send("DELETE", "/v1/auth/me", { password: password.value });
    await session.signOut();
    return null;
  };
  return (
    <Dialog title="Erase the account" onClose={onClose}>
      <p>
        Your transcriptions are deleted, your messages are emptied, and <b dir="auto">{name}</b> is
        free for somebody else. <b>There is no way back.</b>
      </p>
      <form
        class="stack"
        method="post"
        onSubmit={(event) => {
          event.preventDefault();
          doing.run(erase);
        }}
      >
        <input type="text" name="username" autocomplete="username" value={name} readOnly hidden />
        <PasswordField label="Password" value={password} autocomplete="current-password" />
        <Outcome of={doing} />
        <button
          type="submit"
          class="button danger"
          disabled={password.value === ""}
          aria-busy={doing.isBusy.value}
        >
          {doing.isBusy.value ? "Erasing…" : "Erase everything for good"}
        </button>
      </form>
    </Dialog>
  );
}
