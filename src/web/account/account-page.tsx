import { useApp } from "../context.ts";
import { Avatar } from "../parts/person.tsx";
import { BelongingsSection } from "./belongings-section.tsx";
import { BrowserSection } from "./browser-section.tsx";
import { NameSection } from "./name-section.tsx";
import { PasswordSection } from "./password-section.tsx";
import { SessionsSection } from "./sessions-section.tsx";
import { useTitle } from "../parts/title.ts";

/** Who one is here, and how this browser shows the app. */
export function AccountPage() {
  const { session } = useApp();
  const person = session.person.value;
  useTitle("You");
  if (person === null) return null;
  const isGuest = person.role === "guest";
  return (
    <div class="page account stack">
      <header class="account-head">
        <Avatar user={person} />
        <div>
          <h1 dir="auto">{person.name}</h1>
          <p class="muted">{ROLES[person.role]}</p>
        </div>
        {isGuest ? (
          <a class="button" href="/sign-in">
            Sign in
          </a>
        ) : (
          <button type="button" class="button" onClick={() => void session.signOut()}>
            Sign out
          </button>
        )}
      </header>
      <NameSection person={person} />
      <BrowserSection />
      {!isGuest && (
        <>
          <PasswordSection name={person.name} />
          <SessionsSection />
          <BelongingsSection name={person.name} />
        </>
      )}
      <section class="card stack tight" aria-labelledby="programs-heading">
        <h2 id="programs-heading">Programs</h2>
        <p class="muted">Everything the app does, programs can do too.</p>
        <div class="row">
          <a class="button" href="/docs">
            Explore the API
          </a>
          {person.role === "admin" && (
            <a class="button" href="/account/keys">
              Keys for programs
            </a>
          )}
        </div>
      </section>
    </div>
  );
}

const ROLES = {
  guest: "A guest of this browser; no account is needed here",
  user: "Your account",
  admin: "Your account; you run things here",
};
