import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { useApp } from "../context.ts";
import { Dialog } from "../parts/dialog.tsx";
import { SignInForm } from "./sign-in-form.tsx";

/** The session ended while the app was used: the page waits beneath, with all that was typed. */
export function SignInAgain({ name }: { name: string }) {
  const { session } = useApp();
  const isOpen = useSignal(true);
  const before = useRef(document.activeElement);
  // Once signed in the dialog is gone, and whoever was typing goes on.
  useEffect(() => () => (before.current as HTMLElement | null)?.focus(), []);
  if (!isOpen.value) {
    return (
      <div class="line again" role="status">
        <p class="notice">
          Your session has ended. What you typed is still here.
          <button type="button" class="button compact" onClick={() => (isOpen.value = true)}>
            Sign in again
          </button>
        </p>
      </div>
    );
  }
  return (
    <Dialog title="Sign in again" onClose={() => (isOpen.value = false)}>
      <p class="muted">
        Your session has ended. Sign in and go on where you were; nothing you typed is lost.
      </p>
      <SignInForm isNew={false} knownName={name} />
      <button type="button" class="button plain" onClick={() => void session.signOut()}>
        Sign out
      </button>
    </Dialog>
  );
}
