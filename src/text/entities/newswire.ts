import { spansOfNames } from "./labels.ts";
import type { LabelledSentence } from "./training.ts";

/**
 * What agencies send beside running text: date lines, bylines, results, standings. T is a team,
 * C a country or town, N a full name, S a surname, G an organisation, # a number, % a score.
 */
const PATTERNS = [
  "C 20##-0#-1#",
  "C , C 20##-0#-2#",
  "C , Aug # ( G ) -",
  "C ( G ) -",
  "N",
  "N , C",
  "T # T #",
  "T # T # ( halftime #-# )",
  "T %",
  "T # # # # # # #",
  "T # # . ### #",
  "T at T",
  "Scorers : S ( #th ) , S ( ##th minute )",
  "T - S ( #th minute ) , S ( ##th )",
  "# . N ( C ) ## . ##",
  "# . N ( C )",
  "# . C # points",
  "# - N ( C ) beat N ( C ) % %",
  "N ( C ) beat # - N ( C ) % % %",
  "N of C beat N of C % % .",
  "## N ( C ) ## ## , N ## ##",
  "N ( T ) # . ##",
  "S c S b S ##",
  "S lbw b S #",
  "S not out ##",
  "Bowling : S ##-#-##-# , S #-#-##-#",
  "Tennis - N beats N in C final .",
  "Soccer - T beat T % .",
  "Cricket - C against C , day # scores .",
  "C beat C % ( halftime #-# ) in a friendly on Sunday .",
  "Result of an English league match on Saturday : T # T #",
  "Standings ( tabulate under games played , won , drawn , lost ) :",
  "Attendance : ## , ###",
  "Division one",
  "Leading scores after the second round :",
  "G shares rose # percent to ## . ## .",
  "G said net profit fell # percent .",
  "G # . ## up # . ##",
  "The dollar was at # . #### marks in C .",
  "S , the C coach , said",
] as const;

/** For every so many sentences of training one is made. */
const SENTENCES_A_MADE = 60;
const UPPER_SHARE = 0.2;

/** Fills patterns of newswire with names from labelled sentences. */
export function makeNewswire(
  sentences: readonly LabelledSentence[],
  random: () => number,
): LabelledSentence[] {
  const full: string[][] = [];
  const places: string[][] = [];
  const organisations: string[][] = [];
  for (const { tokens, tags } of sentences) {
    for (const { start, end, label } of spansOfNames(tags)) {
      const name = tokens.slice(start, end);
      if (!name.every((word) => /^\p{Lu}[\p{L}'.&-]*$/u.test(word))) continue;
      if (label === "PER" && name.length === 2) full.push(name);
      if (label === "LOC" && name.length <= 2 && (name[0] ?? "").length > 3) places.push(name);
      if (label === "ORG" && name.length <= 3) organisations.push(name);
    }
  }
  if (full.length === 0 || places.length === 0 || organisations.length === 0) return [];
  const pick = (names: string[][]): string[] => names[Math.floor(random() * names.length)] ?? [];
  const digit = (): string => String(Math.floor(random() * 10));
  const nameFor = (slot: string): { name: string[]; label: string } | null => {
    if (slot === "N") return { name: pick(full), label: "PER" };
    if (slot === "S") return { name: pick(full).slice(1), label: "PER" };
    if (slot === "C") return { name: pick(places), label: "LOC" };
    if (slot === "G") return { name: pick(organisations), label: "ORG" };
    // Teams are called after their towns.
    return slot === "T" ? { name: pick(places), label: "ORG" } : null;
  };
  const count = Math.floor(sentences.length / SENTENCES_A_MADE);
  return Array.from({ length: count }, () => {
    const pattern = PATTERNS[Math.floor(random() * PATTERNS.length)] ?? "";
    const isUpper = random() < UPPER_SHARE;
    const tokens: string[] = [];
    const tags: string[] = [];
    for (const slot of pattern.split(" ")) {
      const filled = nameFor(slot);
      const words = filled?.name ?? [slot.replace("%", "#-#").replace(/#/gu, digit)];
      for (const [at, word] of words.entries()) {
        tokens.push(isUpper ? word.toUpperCase() : word);
        tags.push(filled === null ? "O" : `${at === 0 ? "B" : "I"}-${filled.label}`);
      }
    }
    return { tokens, tags };
  });
}
