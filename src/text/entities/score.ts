import { ENTITY_LABELS, type EntityLabel, type Span } from "./labels.ts";

/** How well found spans match the right ones, in per cent. */
export interface Score {
  f1: number;
  precision: number;
  recall: number;
}

export interface TypedScore extends Score {
  by: Record<EntityLabel, Score>;
}

/** Counts spans found, right and wanted, by type. */
export interface Scorer {
  add(found: readonly Span[], wanted: readonly Span[]): void;
  score(): TypedScore;
}

/** Makes a scorer of exact spans and types, over all sentences together (as conlleval does). */
export function createScorer(): Scorer {
  const counts = ENTITY_LABELS.map(() => ({ right: 0, found: 0, wanted: 0 }));
  return {
    add(found, wanted) {
      const keys = new Set(wanted.map(keyOf));
      for (const span of found) {
        const count = counts[ENTITY_LABELS.indexOf(span.label)];
        if (count === undefined) continue;
        count.found++;
        if (keys.has(keyOf(span))) count.right++;
      }
      for (const { label } of wanted) {
        const count = counts[ENTITY_LABELS.indexOf(label)];
        if (count !== undefined) count.wanted++;
      }
    },
    score() {
      const sum = { right: 0, found: 0, wanted: 0 };
      for (const { right, found, wanted } of counts) {
        sum.right += right;
        sum.found += found;
        sum.wanted += wanted;
      }
      const by = Object.fromEntries(
        ENTITY_LABELS.map((label, at) => [label, scoreOf(counts[at] ?? sum)]),
      ) as Record<EntityLabel, Score>;
      return { ...scoreOf(sum), by };
    },
  };
}

function keyOf({ start, end, label }: Span): string {
  return `${start} ${end} ${label}`;
}

function scoreOf({
  right,
  found,
  wanted,
}: {
  right: number;
  found: number;
  wanted: number;
}): Score {
  const precision = found === 0 ? 0 : right / found;
  const recall = wanted === 0 ? 0 : right / wanted;
  const f1 = right === 0 ? 0 : (2 * precision * recall) / (precision + recall);
  return { f1: perCent(f1), precision: perCent(precision), recall: perCent(recall) };
}

function perCent(share: number): number {
  return Math.round(share * 10_000) / 100;
}
