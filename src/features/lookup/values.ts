import type { NumberParameter, Parameter, TextParameter } from "./model.ts";

// What callers give for a parameter. A value is only ever sent encoded; what is refused here besides
// are values that could mean something else to a careless server that decodes them once more.

/** How often a value is decoded to see what it would be to such a server. */
const DECODED_MAX = 3;

/** The value as it is sent, in one spelling for all that mean the same; null when it does not fit. */
export function valueOf(parameter: Parameter, given: string): string | null {
  return parameter.kind === "number" ? numberOf(parameter, given) : textOf(parameter, given);
}

function numberOf({ min, max, decimals }: NumberParameter, given: string): string | null {
  if (!/^[+-]?\d{1,15}(?:\.\d{1,20})?$/.test(given)) return null;
  const value = Number(Number(given).toFixed(decimals));
  // `-0` is written as 0.
  return value < min || value > max ? null : String(value);
}

function textOf(parameter: TextParameter, given: string): string | null {
  const { pattern, charactersMax, isLowered, space } = parameter;
  let value = given.normalize("NFC").trim();
  if ([...value].length > charactersMax) return null;
  if (isLowered) value = value.toLowerCase();
  if (space !== null) value = value.replaceAll(/ +/g, space);
  return isHarmless(value) && pattern.test(value) ? value : null;
}

/** Whether a value stays one value however often it is decoded: no control characters, no `..`. */
function isHarmless(value: string): boolean {
  let seen = value;
  for (let times = 0; times <= DECODED_MAX; times++) {
    if (!isPlain(seen) || !isPlain(seen.normalize("NFKC"))) return false;
    const decoded = decode(seen);
    if (decoded === seen) return true;
    seen = decoded;
  }
  return false;
}

function isPlain(text: string): boolean {
  if (!text.isWellFormed() || /[\p{Cc}\u2028\u2029\uFFFD]/u.test(text)) return false;
  return !text.split(/[/\\]/).some((part) => /^\.\.?$/.test(part.trim()));
}

/** Decodes what can be decoded, and leaves a lone `%` as it is. */
function decode(text: string): string {
  return text.replaceAll(/(?:%[\da-f]{2})+/gi, (part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      // No UTF-8: an old overlong form of a dot or a slash is one of those.
      return "\uFFFD";
    }
  });
}
