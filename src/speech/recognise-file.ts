import { UnsupportedAudio } from "./audio.ts";
import type { HeardWord } from "./engine.ts";
import type { Recognition } from "./recognition.ts";
import { createWavParser } from "./wav.ts";

/** One utterance of a file. */
export interface FileSegment {
  text: string;
  startMs: number;
  endMs: number;
  words: HeardWord[];
}

/**
 * The utterances of a whole WAV file, in order. Throws `UnsupportedAudio`, or an error when the
 * recogniser dies over it.
 */
export async function recogniseFile(
  recognition: Recognition,
  wav: Uint8Array,
): Promise<FileSegment[]> {
  const parsed = createWavParser().push(wav);
  if (parsed === null) throw new UnsupportedAudio("the file ends before its sound begins");
  return await new Promise((resolve, reject) => {
    const segments: FileSegment[] = [];
    const stream = recognition.open(parsed.format, (event) => {
      if (event.type === "final") {
        const { text, words } = event.heard;
        const startMs = words[0]?.startMs ?? 0;
        segments.push({ text, startMs, endMs: words.at(-1)?.endMs ?? event.processedMs, words });
      }
      if (event.type === "ended") resolve(segments);
      if (event.type === "failed") reject(new Error("the recogniser failed"));
    });
    stream.push(parsed.audio);
    stream.end();
  });
}
