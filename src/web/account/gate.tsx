import type { ComponentChildren } from "preact";
import { Fragment } from "preact";
import { useApp } from "../context.ts";
import { SignInAgain } from "./sign-in-again.tsx";
import { SignInPage } from "./sign-in-page.tsx";

/** Lets in whoever may be here; others sign in first, whatever the address is. */
export function Gate({ children }: { children: ComponentChildren }) {
  const { session } = useApp();
  const person = session.person.value;
  if (person === null) return <SignInPage />;
  return (
    <>
      {/* What somebody else has seen is not shown to the next. */}
      <Fragment key={person.id}>{children}</Fragment>
      {session.isOver.value && <SignInAgain name={person.name} />}
    </>
  );
}
