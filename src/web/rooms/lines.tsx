import { memo } from "preact/compat";
import { useRef } from "preact/hooks";
import { Icon } from "../parts/icon.tsx";
import { Linked } from "../parts/linked.tsx";
import { Avatar, Name, shownName } from "../parts/person.tsx";
import { dayOf, timeOf } from "../parts/times.ts";
import type { Interim, Said } from "./room-state.ts";

/** What may be done with a message. */
export interface SaidActions {
  mayEdit(said: Said): boolean;
  mayRemove(said: Said): boolean;
  edit(said: Said): void;
  remove(said: Said): void;
}

interface SaidLineProps {
  said: Said;
  /** Begins what one person says: name and time are shown. */
  isFirst: boolean;
  isNewDay: boolean;
  actions: SaidActions;
}

export const SaidLine = memo(({ said, isFirst, isNewDay, actions }: SaidLineProps) => {
  const { user, kind, text, at, change, id } = said;
  const isSending = id === null;
  return (
    <>
      {isNewDay && (
        <p class="day">
          <span>{dayOf(at)}</span>
        </p>
      )}
      <article
        class={`said ${kind} ${isFirst ? "first" : ""} ${isSending ? "sending" : ""}`}
        aria-label={`${shownName(user)}, ${timeOf(at)}`}
      >
        {isFirst && <Avatar user={user} />}
        {isFirst && (
          <header>
            <Name user={user} />
            <time dateTime={new Date(at).toISOString()}>{timeOf(at)}</time>
            {kind === "caption" && (
              <span class="badge">
                <Icon name="microphone" />
                spoken
              </span>
            )}
          </header>
        )}
        <p class="words" dir="auto">
          {change === "remove" ? <i class="muted">Removed</i> : <Linked text={text} />}
          {change === "edit" && <span class="muted small"> (edited)</span>}
          {isSending && <span class="muted small"> · sending</span>}
        </p>
        {!isSending && change !== "remove" && (
          <div class="said-actions">
            {actions.mayEdit(said) && (
              <button
                type="button"
                class="button plain icon compact"
                aria-label={`Edit: ${startOf(text)}`}
                onClick={() => actions.edit(said)}
              >
                <Icon name="edit" />
              </button>
            )}
            {actions.mayRemove(said) && (
              <button
                type="button"
                class="button plain icon compact"
                aria-label={`Remove: ${startOf(text)}`}
                onClick={() => actions.remove(said)}
              >
                <Icon name="remove" />
              </button>
            )}
          </div>
        )}
      </article>
    </>
  );
});

/** Words that are still changing; it never gets lower, so that nothing below it jumps. */
export function InterimLine({ interim: { user, text, stable } }: { interim: Interim }) {
  const element = useRef<HTMLParagraphElement>(null);
  const height = useRef(0);
  height.current = Math.max(height.current, element.current?.offsetHeight ?? 0);
  return (
    <div class="said caption first interim">
      <Avatar user={user} />
      <header>
        <Name user={user} />
        <span class="badge live">
          <Icon name="microphone" />
          speaking
        </span>
      </header>
      <p class="words" dir="auto" ref={element} style={{ minHeight: `${height.current}px` }}>
        {text.slice(0, stable)}
        <span class="unsure">{text.slice(stable)}</span>
      </p>
    </div>
  );
}

function startOf(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
