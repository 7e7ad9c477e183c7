import { DIGIT, LETTER, MARK, NEWLINE, PIECE, SPACE, tabulateCharacters } from "./characters.ts";

/** One sentence: `tokens[n]` stands at `starts[n]` of the text, in UTF-16 code units. */
export interface Sentence {
  tokens: string[];
  starts: number[];
}

/** Cuts texts into sentences of tokens. */
export type Tokenizer = (text: string, onSentence: (sentence: Sentence) => void) => void;

/** A sentence with more tokens goes on as the next one. */
export const SENTENCE_TOKENS_MAX = 256;

/** A longer word, address or row of marks goes on as the next token. */
const TOKEN_CHARS_MAX = 400;

/** More closing quotes and brackets in a row than this begin the next sentence. */
const CLOSERS_MAX = 8;

/** Words that are written with a full stop, which then ends no sentence. */
const ABBREVIATIONS = new Set(
  (
    "mr mrs ms dr prof sen rep gov gen col lt sgt capt cmdr adm maj st jr sr vs inc ltd co corp bros " +
    "rev hon pres supt jan feb mar apr jun jul aug sep sept oct nov dec mt ft ave blvd rd dept " +
    "univ assn est fig eg ie cf al डॉ श्री प्रो पं मो कु"
  ).split(" "),
);

/** These are abbreviations before a number only: "No. 10", and "He said no." */
const NUMBERED = new Set(["no", "nos", "art", "sec", "pp", "vol", "p", "ch", "नं"]);

/** What is split off a word with its apostrophe. */
const CLITICS = new Set(["s", "m", "d", "re", "ve", "ll"]);

const HYPHEN = 45;
const AMPERSAND = 38;
const APOSTROPHE = 39;
const APOSTROPHE_CURLY = 0x2019;
const STOP = 46;
const COMMA = 44;
const COLON = 58;
const AT = 64;
const HASH = 35;
const DANDA = 0x964;
const DANDA_DOUBLE = 0x965;
const ELLIPSIS = 0x2026;

/**
 * Makes a tokenizer for English, Hindi and mixtures of both.
 *
 * Words keep inner hyphens, ampersands, apostrophes and dots (co-op, AT&T, O'Neill, example.org);
 * possessives and contractions are split off as in the Penn Treebank (Obama|'s, do|n't), full
 * stops stay with abbreviations and initials (U.S., Dr.). Numbers keep their commas and points.
 * Addresses, e-mail addresses and @mentions are one token, a # is one of its own. A danda always
 * stands alone. A sentence ends at . ! ? । ॥ … before a space, a full stop only when no small
 * letter follows; and with its line.
 *
 * Time is linear in the text's length. The arrays of a sentence are new each time.
 */
export function createTokenizer(): Tokenizer {
  const kinds = tabulateCharacters();
  return (text, onSentence) => {
    const scan = createScan(text, kinds);
    let sentence: Sentence = { tokens: [], starts: [] };
    const flush = (): void => {
      if (sentence.tokens.length === 0) return;
      onSentence(sentence);
      sentence = { tokens: [], starts: [] };
    };
    const add = (start: number, end: number): void => {
      sentence.tokens.push(text.slice(start, end));
      sentence.starts.push(start);
      if (sentence.tokens.length >= SENTENCE_TOKENS_MAX) flush();
    };
    let at = 0;
    while (at < text.length) {
      const kind = kinds[text.charCodeAt(at)];
      if (kind === NEWLINE) flush();
      if (kind === NEWLINE || kind === SPACE) {
        at++;
        continue;
      }
      const end = Math.min(scan.tokenEnd(at), at + TOKEN_CHARS_MAX);
      const clitic = kind === LETTER ? scan.cliticStart(at, end) : end;
      if (clitic > at) add(at, clitic);
      if (clitic < end) add(clitic, end);
      if (kind === MARK && scan.endsSentence(at, end)) {
        // Closing quotes and brackets belong to the sentence that they close.
        let next = end;
        while (next < end + CLOSERS_MAX && /["'”’)\]»]/.test(text.charAt(next))) {
          add(next, next + 1);
          next++;
        }
        flush();
        at = next;
        continue;
      }
      at = end;
    }
    flush();
  };
}

interface Scan {
  /** Where the token that starts at `at` ends. */
  tokenEnd(at: number): number;
  /** Where a word's split-off ending begins; its end when it has none. */
  cliticStart(start: number, end: number): number;
  /** Whether the marks from `start` to `end` end a sentence. */
  endsSentence(start: number, end: number): boolean;
}

function createScan(text: string, kinds: Uint8Array): Scan {
  const kindAt = (at: number): number =>
    at < text.length ? (kinds[text.charCodeAt(at)] as number) : SPACE;
  const isWordAt = (at: number): boolean => {
    const kind = kindAt(at);
    return kind === LETTER || kind === DIGIT;
  };

  const spaceAfter = (at: number): number => {
    let end = at;
    const last = Math.min(text.length, at + TOKEN_CHARS_MAX);
    while (end < last && kindAt(end) !== SPACE && kindAt(end) !== NEWLINE) end++;
    return end;
  };
  const addressEnd = (at: number): number => {
    let end = spaceAfter(at);
    while (end > at + 1 && /[.,;:!?'"”’)\]>।]/.test(text.charAt(end - 1))) end--;
    return end;
  };

  const wordEnd = (start: number): number => {
    const first = text.charCodeAt(start);
    // "ht" and "ww" begin http and www; the words of a text are not looked at twice.
    const second = text.charCodeAt(start + 1) | 32;
    if (((first | 32) === 104 && second === 116) || ((first | 32) === 119 && second === 119)) {
      const head = text.slice(start, start + 8).toLowerCase();
      if (/^https?:\/\/|^www\../.test(head)) return addressEnd(start);
    }
    const last = start + TOKEN_CHARS_MAX;
    let at = start + 1;
    for (; at < last; at++) {
      if (isWordAt(at)) continue;
      const code = text.charCodeAt(at);
      if (kindAt(at) !== MARK || !joinsWord(code, start, at)) break;
    }
    return at;
  };

  const joinsWord = (code: number, start: number, at: number): boolean => {
    const isInner = isWordAt(at + 1);
    switch (code) {
      case HYPHEN:
      case AMPERSAND:
        return isInner;
      case APOSTROPHE:
      case APOSTROPHE_CURLY:
        return isInner && kindAt(at - 1) === LETTER && kindAt(at + 1) === LETTER;
      case COMMA:
      case COLON:
        return kindAt(at - 1) === DIGIT && kindAt(at + 1) === DIGIT;
      case AT:
        return isInner && /^[\p{L}\p{N}-]{1,60}\.\p{L}/u.test(text.slice(at + 1, at + 64));
      case STOP:
        return isInner ? !startsSentence(start, at) : isAbbreviation(start, at);
      default:
        return false;
    }
  };

  /** "over.Next" lacks a space; "U.S" and "example.Org" do not. */
  const startsSentence = (start: number, at: number): boolean =>
    at - start > 3 && isLower(text.charAt(at - 1)) && isUpper(text.charAt(at + 1));

  const isAbbreviation = (start: number, at: number): boolean => {
    if (at - start > 12 || text.charCodeAt(at + 1) === STOP) return false;
    const word = text.slice(start, at);
    if (word.length === 1) return isUpper(word) || /[\u0900-\u097F]/.test(word);
    if (/^(?:\p{L}\.)+\p{L}$/u.test(word)) return true;
    const small = word.toLowerCase();
    if (NUMBERED.has(small)) return /^\s?\p{Nd}/u.test(text.slice(at + 1, at + 3));
    // At the end of a line nothing follows that it could belong to.
    return ABBREVIATIONS.has(small) && kindAt(at + 1) !== NEWLINE;
  };

  const markEnd = (start: number): number => {
    const code = text.charCodeAt(start);
    if (code === AT && isWordAt(start + 1)) {
      let end = start + 1;
      while (end < start + TOKEN_CHARS_MAX && isWordAt(end)) end++;
      return end;
    }
    if (code === HASH) return start + 1;
    const last = Math.min(text.length, start + TOKEN_CHARS_MAX);
    let end = start + 1;
    if (isEnder(code)) while (end < last && isEnder(text.charCodeAt(end))) end++;
    else while (end < last && text.charCodeAt(end) === code) end++;
    while (end < last && isSelector(text.charCodeAt(end))) end++;
    return end;
  };

  return {
    tokenEnd(at) {
      const kind = kindAt(at);
      if (kind === LETTER || kind === DIGIT) return wordEnd(at);
      if (kind !== PIECE) return markEnd(at);
      let end = at + 1;
      while (
        end < at + TOKEN_CHARS_MAX &&
        (kindAt(end) === PIECE || text.charCodeAt(end) === 0x200d)
      )
        end++;
      return end;
    },
    cliticStart(start, end) {
      for (let at = end - 1; at > start && at >= end - 3; at--) {
        const code = text.charCodeAt(at);
        if (code !== APOSTROPHE && code !== APOSTROPHE_CURLY) continue;
        const tail = text.slice(at + 1, end).toLowerCase();
        if (tail === "t" && at - 1 > start && /n/i.test(text.charAt(at - 1))) return at - 1;
        return CLITICS.has(tail) ? at : end;
      }
      return end;
    },
    endsSentence(start, end) {
      const code = text.charCodeAt(start);
      if (!isEnder(code)) return false;
      let next = end;
      while (next < end + CLOSERS_MAX && /["'”’)\]»]/.test(text.charAt(next))) next++;
      // A danda ends a sentence even where nobody typed the space.
      if (code === DANDA || code === DANDA_DOUBLE) return true;
      if (code === STOP && isLower(text.charAt(start - 1)) && isUpper(text.charAt(end)))
        return true;
      if (kindAt(next) !== SPACE && kindAt(next) !== NEWLINE && kindAt(next) !== PIECE)
        return false;
      if (code !== STOP && code !== ELLIPSIS) return true;
      while (next < text.length && kindAt(next) === SPACE) next++;
      return !isLower(text.charAt(next));
    },
  };
}

function isEnder(code: number): boolean {
  return (
    code === STOP ||
    code === 33 ||
    code === 63 ||
    code === DANDA ||
    code === DANDA_DOUBLE ||
    code === ELLIPSIS
  );
}

/** What turns the mark before it into an emoji. */
function isSelector(code: number): boolean {
  return code >= 0xfe00 && code <= 0xfe0f;
}

function isLower(character: string): boolean {
  return character !== character.toUpperCase() && character === character.toLowerCase();
}

function isUpper(character: string): boolean {
  return character !== character.toLowerCase();
}
