import english from "./models/en.model.zst" with { type: "file" };
import englishLexicon from "./models/en.lexicon.zst" with { type: "file" };
import hindi from "./models/hi.model.zst" with { type: "file" };
import hindiLexicon from "./models/hi.lexicon.zst" with { type: "file" };
import type { FoundLanguage } from "./finder.ts";
import { type Lexicon, readLexicon } from "./lexicon.ts";

/** Reads the file of the tagger that comes with the program. */
export function readShippedModel(language: FoundLanguage): Promise<Uint8Array> {
  return Bun.file(language === "en" ? english : hindi).bytes();
}

/** Reads what is known of a language's words before any training. */
export async function readShippedLexicon(language: FoundLanguage): Promise<Lexicon> {
  return readLexicon(await Bun.file(language === "en" ? englishLexicon : hindiLexicon).bytes());
}
