import { Problem } from "./problem.ts";

/** What no JSON of ours nears; deeper one is `invalid`, for what tells of it is quadratic. */
const DEPTH_MAX = 64;
/** Values in one body, keys not counted; more are `too_large`. Ours have a handful, or 100 messages. */
const BODY_VALUES_MAX = 10_000;

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** The value of a JSON text; throws what `parseBoundedJson` and `checkWhole` do. */
export function parseJsonText(text: string, valuesMax = BODY_VALUES_MAX): unknown {
  const value = parseBoundedJson(text, valuesMax);
  checkWhole(text, value);
  return value;
}

/**
 * The value of a JSON text. Throws `SyntaxError`, and before anything is made of it `invalid` for one
 * that is nested too deeply and `too_large` for one of too many values: a short text of either kind
 * would keep the whole process busy for seconds, in the parser and in whoever looks at the value.
 */
export function parseBoundedJson(text: string, valuesMax: number): unknown {
  // A text this short can hold neither.
  if (text.length > DEPTH_MAX) checkShape(text, valuesMax);
  return JSON.parse(text);
}

/**
 * Throws `invalid` when there is half a character in the value of a JSON text, as only JSON can write:
 * the database would keep another one, and who is told the text something else than who reads it there.
 */
export function checkWhole(text: string, value: unknown): void {
  // Only an escape can stand for half of a pair.
  if (text.includes("\\u") && !isWhole(value)) {
    throw new Problem("invalid", "Texts must be whole characters");
  }
}

/** Whether every text in a value is made of whole characters. */
function isWhole(value: unknown): boolean {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([key, inner]) => key.isWellFormed() && isWhole(inner));
}

/** Reads over the text once. What is no JSON passes, which the parser says better. */
function checkShape(text: string, valuesMax: number): void {
  let depth = 0;
  // Before every value but the first stands what opens or a comma.
  let values = 1;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at);
        break;
      case OPEN_LIST:
      case OPEN_OBJECT:
        if (++depth > DEPTH_MAX) throw tooDeep();
        if (++values > valuesMax) throw tooMany(valuesMax);
        break;
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        depth--;
        break;
      case COMMA:
        if (++values > valuesMax) throw tooMany(valuesMax);
        break;
      default:
    }
  }
}

/** Where the quote is that ends the string which begins at `from`; most are found without reading. */
function endOfString(text: string, from: number): number {
  const first = text.indexOf('"', from + 1);
  if (first === -1) return text.length;
  let before = first - 1;
  while (text.charCodeAt(before) === BACKSLASH) before--;
  // An even number of backslashes are characters of their own.
  if ((first - before) % 2 === 1) return first;
  let at = first + 1;
  for (; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) return at;
    if (unit === BACKSLASH) at++;
  }
  return at;
}

function tooDeep(): Problem {
  return new Problem("invalid", `JSON may be nested ${DEPTH_MAX} levels deep`);
}

function tooMany(valuesMax: number): Problem {
  return new Problem("too_large", `This JSON may hold ${valuesMax} values`);
}
