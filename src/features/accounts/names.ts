import { Problem } from "../../http/problem.ts";

const NAME_CHARACTERS_MAX = 50;

/**
 * What no name may hold: control characters, halves of characters, what stands for nothing, line ends,
 * and what cannot be seen, by which one name would pass for another (so the marks that turn the
 * direction of writing). The joiners stay, which some scripts are written with, and what chooses
 * between two looks of an emoji.
 */
const UNUSABLE =
  /[\p{Cc}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]|(?!\u200c|\u200d|\ufe0e|\ufe0f)[\p{Cf}\p{Default_Ignorable_Code_Point}]/u;
/** What has a look of its own: without one of these a name would be empty to the eye. */
const VISIBLE = /[^\p{M}\p{Z}\p{Cf}\u2800]/u;

/** A name as it is shown, and the one by which no two accounts are alike. */
export interface CheckedName {
  name: string;
  key: string;
}

/** Throws `invalid` for a name that accounts cannot have. */
export function checkName(given: string): CheckedName {
  const name = given.trim().replaceAll(/\p{Zs}+/gu, " ");
  const characters = Array.from(name).length;
  if (characters < 1 || characters > NAME_CHARACTERS_MAX) {
    throw new Problem("invalid", `A name has 1 to ${NAME_CHARACTERS_MAX} characters`);
  }
  if (UNUSABLE.test(name) || !VISIBLE.test(name)) {
    throw new Problem("invalid", "A name is one line of characters that can be seen");
  }
  return { name, key: foldName(name) };
}

/**
 * The same text for names that differ in case, width, composition, spaces or what cannot be seen
 * (NFKC and full case folding as Unicode's chapter 3.13 has it, by way of the upper case).
 */
export function foldName(name: string): string {
  return name
    .normalize("NFKC")
    .replaceAll(/\p{Default_Ignorable_Code_Point}/gu, "")
    .toUpperCase()
    .toLowerCase()
    .normalize("NFKC")
    .replaceAll(/\s+/gu, " ")
    .trim();
}
