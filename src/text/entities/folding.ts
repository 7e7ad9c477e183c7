import { hashText } from "./hash.ts";

const LOWER = 12;
const AROUND = /^[^\p{L}\p{N}]+|[^\p{L}\p{M}\p{N}]+$/gu;

/** The token without marks around it; as it is when it is nothing but marks. */
export function bareOf(token: string): string {
  if (isPlainLetter(token.charCodeAt(0)) && isPlainLetter(token.charCodeAt(token.length - 1))) {
    return token;
  }
  const bare = token.replace(AROUND, "");
  return bare === "" ? token : bare;
}

export function isPlainLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90);
}

export function foldDigits(text: string): string {
  return /\p{Nd}/u.test(text) ? text.replace(/\p{Nd}/gu, "0") : text;
}

/** The hash of a word in lower case without marks around it, digits as zeros. */
export function hashFolded(folded: string): number {
  return hashText(folded, LOWER);
}

/** Folds and hashes a word. */
export function foldWord(word: string): number {
  return hashFolded(foldDigits(bareOf(word).toLowerCase()));
}
