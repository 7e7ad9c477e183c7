import { isWav } from "../../speech/wav.ts";

const BASE64 = /^[A-Za-z0-9+/\s]+={0,2}\s*$/;
/** "RIFF" in base64: what is not a WAV file is told apart without decoding it. */
const RIFF_START = "UklGR";

/** The WAV file that a text encodes in base64; null when the text is something else. */
export function wavOf(text: string): Uint8Array | null {
  if (!text.startsWith(RIFF_START) || !BASE64.test(text)) return null;
  const bytes = Buffer.from(text, "base64");
  return isWav(bytes) ? bytes : null;
}
