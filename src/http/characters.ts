/** The first characters (code points) of a text; none is cut in half. */
export function firstCharacters(text: string, count: number): string {
  // Two code units hold any character, so the rest of a long text is not looked at.
  return Array.from(text.slice(0, count * 2))
    .slice(0, count)
    .join("");
}

/** Whether a text has more characters (code points); its length alone would count many twice. */
export function hasMoreCharacters(text: string, charactersMax: number): boolean {
  return text.length > charactersMax && [...text].length > charactersMax;
}
