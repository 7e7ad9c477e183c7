/**
 * What Whisper and its kin were trained on: ISO 639 codes, the commonest first.
 * Source: `LANGUAGES` in OpenAI's `whisper/tokenizer.py`.
 */
export const WHISPER_LANGUAGES: readonly string[] = (
  "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur " +
  "hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si " +
  "km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha " +
  "ba jw su yue"
).split(" ");

/** `hi` of `hi-IN`: models and services know languages, not regions. */
export function languageCode(tag: string): string {
  return tag.split(/[-_]/, 1)[0]?.toLowerCase() ?? "";
}

/** The code of an English name ("Hindi", "hindi"), or of a tag. Undefined for what nobody knows. */
export function codeOfLanguage(nameOrTag: string): string | undefined {
  const code = languageCode(nameOrTag);
  if (WHISPER_LANGUAGES.includes(code)) return code;
  const names = new Intl.DisplayNames(["en"], { type: "language" });
  const wanted = nameOrTag.trim().toLowerCase();
  return WHISPER_LANGUAGES.find((one) => names.of(one)?.toLowerCase() === wanted);
}
