import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { useApp } from "../context.ts";
import { Icon } from "../parts/icon.tsx";
import { SignInForm } from "./sign-in-form.tsx";
import { useTitle } from "../parts/title.ts";

/** Where one signs in, or makes an account; whatever the address names is shown afterwards. */
export function SignInPage() {
  const { session, router } = useApp();
  const isNew = useSignal(false);
  const [view, room] = router.place.value.path;
  const person = session.person.value;
  const isAsked = view === "sign-in";
  const title = isNew.value ? "Make an account" : "Sign in";
  useTitle(title);
  useEffect(() => {
    if (isAsked && person !== null && person.role !== "guest") router.go("/", "replace");
  }, [isAsked, person]);

  return (
    <div class="page sign-in stack">
      <div class="stack tight">
        <h1>{title}</h1>
        <p class="muted">
          {view === "rooms" && room !== undefined ? (
            <>
              Then you are in the room <b dir="auto">{room}</b>.
            </>
          ) : (
            "Rooms, captions and topics for groups that talk."
          )}
        </p>
      </div>
      <div class="card stack">
        <SignInForm isNew={isNew.value} />
      </div>
      {session.isRegistrationOpen ? (
        <div class="row">
          <span class="muted">
            {isNew.value ? "You have an account already?" : "No account yet?"}
          </span>
          <button
            type="button"
            class="button plain"
            onClick={() => {
              isNew.value = !isNew.value;
            }}
          >
            {isNew.value ? "Sign in" : "Make an account"}
          </button>
        </div>
      ) : (
        <p class="muted small row">
          <Icon name="lock" />
          Accounts here are made by whoever runs this server.
        </p>
      )}
    </div>
  );
}
