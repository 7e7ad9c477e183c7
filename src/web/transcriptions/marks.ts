import type { KeptSegment } from "../../features/transcription/kept-model.ts";

export type MarkKind = "person" | "place" | "organisation" | "unsure";

/** A part of a text that is marked, in UTF-16 code units. */
export interface Mark {
  start: number;
  end: number;
  kind: MarkKind;
}

/** Which of a segment's two texts is read. */
export type TextForm = "heard" | "cleaned";

/** What the recogniser is less sure of than this may be something else. */
const SURE_MIN = 0.5;
const KINDS: Readonly<Record<string, MarkKind>> = {
  PER: "person",
  LOC: "place",
  ORG: "organisation",
};

export function textOf({ text, processed_text: cleaned }: KeptSegment, form: TextForm): string {
  return form === "cleaned" ? (cleaned ?? text) : text;
}

/** What is marked in one of a segment's texts, in order and without overlaps. */
export function marksOf(segment: KeptSegment, form: TextForm): Mark[] {
  const text = textOf(segment, form);
  const names = text === segment.processed_text ? namesOf(segment) : [];
  const unsure = text === segment.text ? unsureOf(segment) : [];
  const free = unsure.filter(
    (word) => !names.some(({ start, end }) => start < word.end && word.start < end),
  );
  return [...names, ...free].sort((one, other) => one.start - other.start);
}

function namesOf({ entities }: KeptSegment): Mark[] {
  return entities.flatMap(({ label, start, end }) => {
    const kind = KINDS[label];
    return kind === undefined ? [] : [{ start, end, kind }];
  });
}

/** Words whose confidence is low, as long as the text still is those words. */
function unsureOf({ text, words }: KeptSegment): Mark[] {
  let at = 0;
  const marks: Mark[] = [];
  for (const { word, confidence } of words) {
    const start = text.indexOf(word, at);
    if (start === -1) return [];
    at = start + word.length;
    if (confidence !== null && confidence < SURE_MIN) {
      marks.push({ start, end: at, kind: "unsure" });
    }
  }
  return marks;
}
