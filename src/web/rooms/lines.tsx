import { memo } from "preact/compat";
import { Icon } from "../parts/icon.tsx";
import { Linked } from "../parts/linked.tsx";
import { Avatar, Name, shownName } from "../parts/person.tsx";
import { dayOf, timeOf } from "../parts/times.ts";
import type { Interim } from "./present.ts";
import { type Said, startOf } from "./said.ts";
import { GrowingWords } from "./growing-words.tsx";

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
  const isFixed = isSending || change === "remove";
  const mayEdit = !isFixed && actions.mayEdit(said);
  const mayRemove = !isFixed && actions.mayRemove(said);
  return (
    <>
      {isNewDay && (
        <p class="day">
          <span>{dayOf(at)}</span>
        </p>
      )}
      <article
        class={`said ${kind} ${isFirst ? "first" : ""} ${isSending ? "sending" : ""}`}
        // On touch screens what can be done with it is shown when it is tapped.
        tabIndex={mayEdit || mayRemove ? -1 : undefined}
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
        {(mayEdit || mayRemove) && (
          <div class="said-actions">
            {mayEdit && <Action icon="edit" verb="Edit" of={said} onDo={actions.edit} />}
            {mayRemove && <Action icon="remove" verb="Remove" of={said} onDo={actions.remove} />}
          </div>
        )}
      </article>
    </>
  );
});

interface ActionProps {
  icon: "edit" | "remove";
  verb: string;
  of: Said;
  onDo(said: Said): void;
}

function Action({ icon, verb, of: said, onDo }: ActionProps) {
  return (
    <button
      type="button"
      class="button plain icon compact"
      aria-label={`${verb}: ${startOf(said.text)}`}
      title={verb}
      onClick={() => onDo(said)}
    >
      <Icon name={icon} />
    </button>
  );
}

interface InterimLineProps {
  interim: Interim;
  isFirst: boolean;
}

/** Words that are being spoken. */
export function InterimLine({ interim, isFirst }: InterimLineProps) {
  const { user } = interim;
  return (
    <div class={`said caption interim ${isFirst ? "first" : ""}`}>
      {isFirst && <Avatar user={user} />}
      {isFirst && (
        <header>
          <Name user={user} />
          <span class="badge live">
            <Icon name="microphone" />
            speaking
          </span>
        </header>
      )}
      <GrowingWords interim={interim} />
    </div>
  );
}
