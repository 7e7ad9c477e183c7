/** The first characters (code points) of a text; none is cut in half. */
export function firstCharacters(text: string, count: number): string {
  // Two code units hold any character, so the rest of a long text is not looked at.
  return Array.from(text.slice(0, count * 2))
    .slice(0, count)
    .join("");
}

/** Whether a text has more characters (code points); its length alone would count many twice. */
export function hasMoreCharacters(text: string, charactersMax: number): boolean {
  if (text.length <= charactersMax) return false;
  if (text.length > 2 * charactersMax) return true;
  let characters = 0;
  for (let at = 0; at < text.length; characters++) at += isPairAt(text, at) ? 2 : 1;
  return characters > charactersMax;
}

/** Whether the character there has two code units. */
function isPairAt(text: string, at: number): boolean {
  return (text.codePointAt(at) ?? 0) > 0xffff;
}
