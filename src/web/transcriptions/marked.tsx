import type { Mark, MarkKind } from "./marks.ts";

const KIND_WORDS: Readonly<Record<MarkKind, string>> = {
  person: "person",
  place: "place",
  organisation: "organisation",
  unsure: "not sure",
};
const KINDS: readonly MarkKind[] = ["person", "place", "organisation", "unsure"];

/** A text with its marks; those who listen hear what each is. */
export function Marked({ text, marks }: { text: string; marks: readonly Mark[] }) {
  let at = 0;
  return (
    <>
      {marks.map(({ start, end, kind }) => {
        const before = text.slice(at, start);
        at = end;
        return (
          <>
            {before}
            <span class={`marked ${kind}`} title={KIND_WORDS[kind]}>
              {text.slice(start, end)}
              <span class="spoken"> ({KIND_WORDS[kind]})</span>
            </span>
          </>
        );
      })}
      {text.slice(at)}
    </>
  );
}

/** What the marks mean that there are. */
export function Legend({ kinds }: { kinds: ReadonlySet<MarkKind> }) {
  if (kinds.size === 0) return null;
  return (
    <p class="legend small">
      <span class="muted">Marked:</span>
      {KINDS.filter((kind) => kinds.has(kind)).map((kind) => (
        <span key={kind} class={`marked ${kind}`}>
          {KIND_WORDS[kind]}
        </span>
      ))}
    </p>
  );
}
