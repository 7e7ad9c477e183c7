/** What an entity is: a person, an organisation or a place. */
export const ENTITY_LABELS = ["PER", "ORG", "LOC"] as const;
export type EntityLabel = (typeof ENTITY_LABELS)[number];

/** A run of tokens that is one entity; `end` is the first token after it. */
export interface Span {
  start: number;
  end: number;
  label: EntityLabel;
}

const OUTSIDE = 0;
const PARTS = ["B", "I"] as const;

/**
 * The tags that are decoded: outside, then begin and inside of every label. Ends and single tokens
 * with tags of their own found no more on text of other kinds, and cost twice the time.
 */
export const TAGS: readonly string[] = [
  "O",
  ...ENTITY_LABELS.flatMap((label) => PARTS.map((part) => `${part}-${label}`)),
];

/** For every tag, the tags that may stand before it; `TAGS.length` is the start of a sentence. */
export const TAGS_BEFORE: readonly Uint8Array[] = TAGS.map((tag) => {
  const befores = [...TAGS.keys()].filter((before) => mayFollow(TAGS[before] ?? "", tag));
  return Uint8Array.from(isOpening(tag) ? [...befores, TAGS.length] : befores);
});

/** Tags that open an entity, 1 or 0 each. */
export const TAGS_OPENING: Uint8Array = Uint8Array.from(TAGS, (tag) =>
  tag.startsWith("B") ? 1 : 0,
);

function isOpening(tag: string): boolean {
  return !tag.startsWith("I");
}

function mayFollow(before: string, tag: string): boolean {
  return isOpening(tag) || (before !== "O" && before.slice(2) === tag.slice(2));
}

/** Writes the tags of spans, which must not overlap, over `count` tokens. */
export function tagsOfSpans(spans: readonly Span[], count: number): Uint8Array {
  const tags = new Uint8Array(count);
  for (const span of spans) {
    const begin = 1 + ENTITY_LABELS.indexOf(span.label) * PARTS.length;
    tags[span.start] = begin;
    tags.fill(begin + 1, span.start + 1, span.end);
  }
  return tags;
}

/** Reads spans from the first `count` tags of a sentence. */
export function spansOfTags(tags: Uint8Array, count: number): Span[] {
  const spans: Span[] = [];
  for (let at = 0; at < count; at++) {
    const start = at;
    const tag = tags[at] ?? OUTSIDE;
    if (tag === OUTSIDE) continue;
    const inside = tag + (tag % PARTS.length);
    while (at + 1 < count && tags[at + 1] === inside) at++;
    const label = ENTITY_LABELS[Math.floor((tag - 1) / PARTS.length)] ?? "PER";
    spans.push({ start, end: at + 1, label });
  }
  return spans;
}

/**
 * Reads spans from tags as data sets write them ("B-PER", "I-PER", "O"); other types than the
 * three are left out. An "I-" that continues nothing begins an entity, as it does in scorers.
 */
export function spansOfNames(names: readonly string[]): Span[] {
  const spans: Span[] = [];
  let open: { start: number; type: string } | null = null;
  for (let at = 0; at <= names.length; at++) {
    const name = names[at] ?? "O";
    const type = name.slice(2);
    if (open !== null && (!name.startsWith("I-") || type !== open.type)) {
      const label = ENTITY_LABELS.find((label) => label === open?.type);
      if (label !== undefined) spans.push({ start: open.start, end: at, label });
      open = null;
    }
    if (open === null && name !== "O") open = { start: at, type };
  }
  return spans;
}
