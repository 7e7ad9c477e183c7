import { useSignal } from "@preact/signals";
import { NameForm } from "../account/name-form.tsx";
import { useApp } from "../context.ts";
import { Dialog } from "../parts/dialog.tsx";
import { Icon } from "../parts/icon.tsx";
import { isNameMade } from "../signed-in.ts";

const KEY = "earshot.name-hint";

/** Tells guests who came with a made-up name where to change it, until they did or do not want to. */
export function NameHint() {
  const { session, storage } = useApp();
  const isDismissed = useSignal(storage.getItem(KEY) !== null);
  const isOpen = useSignal(false);
  const person = session.person.value;
  if (person === null || !isNameMade(person) || isDismissed.value) return null;
  const dismiss = (): void => {
    storage.setItem(KEY, "dismissed");
    isDismissed.value = true;
  };
  return (
    <>
      <div class="name-hint small">
        <span>
          Others see you as <b>{person.name}</b>.
        </span>
        <button type="button" class="button plain" onClick={() => (isOpen.value = true)}>
          Change your name
        </button>
        <button
          type="button"
          class="button plain icon"
          aria-label="Keep this name"
          title="Keep this name"
          onClick={dismiss}
        >
          <Icon name="close" />
        </button>
      </div>
      {isOpen.value && (
        <Dialog title="Your name" onClose={() => (isOpen.value = false)}>
          <NameForm person={person} isEmpty />
        </Dialog>
      )}
    </>
  );
}
