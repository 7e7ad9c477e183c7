/** What a UTF-16 code unit is to the tokenizer. */
export const SPACE = 0;
export const LETTER = 1;
export const DIGIT = 2;
export const MARK = 3;
/** Half of a character beyond the basic plane (emoji, mostly), or what joins and colours emoji. */
export const PIECE = 4;
export const NEWLINE = 5;

/** The kinds of all 65,536 code units; takes some milliseconds to make. */
export function tabulateCharacters(): Uint8Array {
  const kinds = new Uint8Array(0x10000).fill(MARK);
  for (let code = 0; code < kinds.length; code++) {
    const character = String.fromCharCode(code);
    if (code >= 0xd800 && code <= 0xdfff) kinds[code] = PIECE;
    else if (/[\p{L}\p{M}_]/u.test(character)) kinds[code] = LETTER;
    else if (/\p{N}/u.test(character)) kinds[code] = DIGIT;
    else if (/[\n\r\u0085\u2028\u2029\v\f]/.test(character)) kinds[code] = NEWLINE;
    else if (/[\s\p{Cc}\u200B\u2060]/u.test(character)) kinds[code] = SPACE;
  }
  // Joiners belong to the words of Hindi as they do to emoji; selectors colour an emoji.
  kinds[0x200c] = LETTER;
  kinds[0x200d] = LETTER;
  kinds[0xad] = LETTER;
  for (let code = 0xfe00; code <= 0xfe0f; code++) kinds[code] = PIECE;
  return kinds;
}
