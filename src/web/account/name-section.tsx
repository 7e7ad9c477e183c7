import type { Person } from "../session.ts";
import { NameForm } from "./name-form.tsx";

/** What others call one, and the number by which one is let into a room. */
export function NameSection({ person }: { person: Person }) {
  return (
    <section class="card stack" aria-labelledby="name-heading">
      <h2 id="name-heading">Name and number</h2>
      <NameForm person={person} />
      <p>
        Your number is <b class="number">{person.id}</b>.{" "}
        <span class="muted">Tell it to whoever wants to let you into a private room.</span>
      </p>
    </section>
  );
}
