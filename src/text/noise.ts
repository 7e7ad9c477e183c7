import { listWords } from "./words.ts";

/** A bracket with more inside than this is somebody's sentence, never a noise tag. */
const NOISE_CHARS_MAX = 60;

/** Song between two ♪ signs is dropped up to this length; past it only the signs go. */
const SONG_CHARS_MAX = 400;

/** Sounds nobody transcribes on purpose; a tag needs at least one of these. */
const NOISES = listWords(
  "noise noises unk laugh laughs laughing laughter chuckles chuckle giggles cough coughs coughing " +
    "sneeze sneezes sniff sniffs sigh sighs gasp gasps breath breathing applause clapping cheering " +
    "music silence inaudible unintelligible crosstalk static beep sil spn nsn um uh " +
    "शोर हँसी हंसी हँसते खाँसी खांसी संगीत तालियाँ तालियां मौन अस्पष्ट",
);

/** Words that may stand beside a noise in its tag: "background noise", "music playing". */
const NOISE_QUALIFIERS = listWords(
  "background loud soft heavy audience crowd audio upbeat dramatic playing plays continues throat",
);

const CLOSERS: Readonly<Record<string, string>> = {
  "]": "[",
  ")": "(",
  ">": "<",
  "*": "*",
  "♪": "♪",
};
const OPENERS = new Set(["[", "(", "<"]);

/** Replaces each noise tag by a space, innermost first, in one walk with a stack of openers. */
export function removeNoise(line: string): string {
  if (!/[[(<*♪♫]/u.test(line)) return line;
  const out: string[] = [];
  const open: { mark: string; at: number }[] = [];
  for (const char of line) {
    const mark = char === "♫" ? "♪" : char;
    const opener = CLOSERS[mark];
    if (opener !== undefined) {
      while (open.length > 0 && open.at(-1)?.mark !== opener) open.pop();
      const at = open.pop()?.at;
      if (at !== undefined && isNoise(mark, out, at)) {
        out.length = at;
        out.push(" ");
        continue;
      }
      // An asterisk that closes nothing may still open; a song sign is a pair or nothing.
      if (mark === "*" || (mark === "♪" && at === undefined)) open.push({ mark, at: out.length });
    } else if (OPENERS.has(mark)) {
      open.push({ mark, at: out.length });
    }
    out.push(char);
  }
  return out.join("").replace(/[♪♫]/gu, " ");
}

function isNoise(closer: string, out: readonly string[], at: number): boolean {
  const length = out.length - at - 1;
  if (closer === "♪") return length <= SONG_CHARS_MAX;
  if (length > NOISE_CHARS_MAX) return false;
  const content = out.slice(at + 1).join("");
  if (closer === "*" && /^\s|\s$/u.test(content)) return false;
  if ((closer === "]" || closer === ">") && /^\s*[A-Z]+(?:_[A-Z0-9]+)+\s*$/u.test(content)) {
    return true;
  }
  const words = content
    .toLowerCase()
    .split(/[\s_.,-]+/u)
    .filter((word) => word !== "");
  return (
    words.some((word) => NOISES.has(word)) &&
    words.every((word) => NOISES.has(word) || NOISE_QUALIFIERS.has(word))
  );
}
