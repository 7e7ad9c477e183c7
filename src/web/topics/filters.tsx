import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useApp } from "../context.ts";
import { KINDS, type Wishes, changed } from "./wishes.ts";

/** Typing asks the server once it pauses. */
const TYPING_PAUSE_MS = 250;

interface FiltersProps {
  wishes: Wishes;
  /** Whether the order can be chosen, and how topics are shown. */
  isList: boolean;
}

/** What narrows the topics; all of it stands in the address. */
export function Filters({ wishes, isList }: FiltersProps) {
  const { router } = useApp();
  const change = (changes: Record<string, string | null>, how: "push" | "replace" = "push") =>
    router.go(changed(router.place.value, changes), how);
  return (
    <div class="filters" role="search" aria-label="Topics">
      <WordsField q={wishes.q} onChange={(q) => change({ q }, "replace")} />
      <Choice
        label="Kind"
        value={wishes.label ?? ""}
        onChange={(label) => change({ label })}
        options={[
          ["", "All"],
          ...Object.entries(KINDS).map(([label, { many }]): [string, string] => [label, many]),
        ]}
      />
      <Choice
        label="Period"
        value={wishes.period}
        onChange={(period) => {
          const days = period === "own" ? {} : { since: null, until: null };
          change({ ...days, period: period === "all" ? null : period });
        }}
        options={[
          ["all", "All"],
          ["day", "Last day"],
          ["week", "Last week"],
          ["month", "Last month"],
          ["own", "Own dates"],
        ]}
      />
      {wishes.period === "own" && (
        <>
          <DayField label="From" value={wishes.since} onChange={(since) => change({ since })} />
          <DayField label="To" value={wishes.until} onChange={(until) => change({ until })} />
        </>
      )}
      {isList && (
        <>
          <Choice
            label="Order"
            value={wishes.sort}
            onChange={(sort) => change({ sort: sort === "count" ? null : sort })}
            options={[
              ["count", "Most posts"],
              ["lift", "Most particular"],
            ]}
          />
          <div class="shown" role="group" aria-label="Show as">
            {(["bars", "words"] as const).map((shown) => (
              <button
                key={shown}
                type="button"
                class="button"
                aria-pressed={wishes.shown === shown}
                onClick={() => change({ show: shown === "bars" ? null : shown })}
              >
                {shown === "bars" ? "Bars" : "Words"}
              </button>
            ))}
          </div>
        </>
      )}
    </div>
  );
}

function WordsField({ q, onChange }: { q: string; onChange(q: string): void }) {
  const typed = useSignal(q);
  const waiting = useRef<ReturnType<typeof setTimeout>>(undefined);
  // The address may say something else since: by the back button, or by a link.
  useEffect(() => {
    if (typed.peek().trim() !== q) typed.value = q;
  }, [q]);
  useEffect(() => () => clearTimeout(waiting.current), []);
  return (
    <Field label="Find">
      <input
        class="input"
        type="search"
        value={typed.value}
        placeholder="A name"
        maxLength={200}
        autocomplete="off"
        dir="auto"
        onInput={({ currentTarget: { value } }) => {
          typed.value = value;
          clearTimeout(waiting.current);
          waiting.current = setTimeout(() => onChange(value.trim()), TYPING_PAUSE_MS);
        }}
      />
    </Field>
  );
}

function DayField(props: { label: string; value: string; onChange(day: string): void }) {
  return (
    <Field label={props.label}>
      <input
        class="input"
        type="date"
        value={props.value}
        onChange={({ currentTarget }) => props.onChange(currentTarget.value)}
      />
    </Field>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  options: readonly (readonly [value: string, words: string])[];
  onChange(value: string): void;
}

/** A choice of one of a few. */
export function Choice({ label, value, options, onChange }: ChoiceProps) {
  return (
    <Field label={label}>
      <select
        class="input"
        value={value}
        onChange={({ currentTarget }) => onChange(currentTarget.value)}
      >
        {options.map(([each, words]) => (
          <option key={each} value={each}>
            {words}
          </option>
        ))}
      </select>
    </Field>
  );
}

function Field({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <label class="field">
      <span>{label}</span>
      {children}
    </label>
  );
}
