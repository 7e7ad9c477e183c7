import type { ComponentChildren } from "preact";
import { useComputed } from "@preact/signals";
import { useApp } from "./context.ts";
import { Icon, type IconName } from "./parts/icon.tsx";
import { Avatar } from "./parts/person.tsx";

const VIEWS: readonly [string, string, IconName][] = [
  ["/", "Rooms", "rooms"],
  ["/transcriptions", "Transcriptions", "transcriptions"],
  ["/topics", "Topics", "topics"],
];

interface ShellProps {
  assets: string;
  children: ComponentChildren;
}

/** What stands around every view: the way to the others, and who one is. */
export function Shell({ assets, children }: ShellProps) {
  const { session, router } = useApp();
  const here = useComputed(() => router.place.value.path[0] ?? "rooms");
  const person = session.person.value;
  return (
    <div class="shell">
      <a class="skip button main" href="#main">
        To the content
      </a>
      <header class="bar">
        <a class="mark" href="/">
          <img src={`${assets}/icon.svg`} alt="" />
          Earshot
        </a>
        {person !== null && (
          <nav aria-label="Views">
            {VIEWS.map(([address, label, icon]) => (
              <a
                key={address}
                href={address}
                aria-current={isHere(address, here.value) ? "page" : undefined}
              >
                <Icon name={icon} />
                {label}
              </a>
            ))}
          </nav>
        )}
        {person !== null && (
          <a class="who" href="/account">
            <Avatar user={person} />
            <b dir="auto">{person.name}</b>
            <span class="spoken">, your account and settings</span>
          </a>
        )}
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}

function isHere(address: string, here: string): boolean {
  return address === "/" ? here === "rooms" : address === `/${here}`;
}
