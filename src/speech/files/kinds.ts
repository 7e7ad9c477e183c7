import { UnsupportedAudio } from "../audio.ts";
import { hasText } from "./bytes.ts";

/** A kind of sound file that is read. */
export interface FileKind {
  /** As it is shown to people. */
  name: string;
  /** In lower case, without a dot; for documents and file choosers: a name is never trusted. */
  extensions: string[];
  /** Whether it is decoded while it comes, in bounded memory. */
  isPiecewise: boolean;
}

export const FILE_KINDS: readonly FileKind[] = [
  { name: "WAV", extensions: ["wav"], isPiecewise: true },
  { name: "MP3", extensions: ["mp3", "mp2", "mpga"], isPiecewise: true },
  { name: "FLAC", extensions: ["flac"], isPiecewise: true },
  { name: "Ogg with Opus, Vorbis or FLAC", extensions: ["ogg", "oga", "opus"], isPiecewise: true },
  {
    name: "WebM or Matroska with Opus, Vorbis or FLAC",
    extensions: ["webm", "mka", "mkv"],
    isPiecewise: true,
  },
];

/** How a file's bytes are wrapped. `other` can only be MPEG audio, which has no marker. */
export type Container = "wav" | "flac" | "ogg" | "webm" | "mp4" | "other";

/** What `containerOf` looks at. */
export const MARKER_BYTES = 12;

/** Finds out the container by the first 12 bytes, or fewer of a shorter file. */
export function containerOf(bytes: Uint8Array): Container {
  if (hasText(bytes, 0, "RIFF") && hasText(bytes, 8, "WAVE")) return "wav";
  if (hasText(bytes, 0, "fLaC")) return "flac";
  if (hasText(bytes, 0, "OggS")) return "ogg";
  if (hasText(bytes, 0, "\x1a\x45\xdf\xa3")) return "webm";
  if (hasText(bytes, 4, "ftyp")) return "mp4";
  return "other";
}

/** The error for what is no sound file, or of a kind that is not read. */
export function notSound(): UnsupportedAudio {
  return new UnsupportedAudio(`This is not a sound file that can be read. ${whatToUse()}`);
}

/** The error for MP4 files, which are sound but are not read. */
export function mp4NotRead(): UnsupportedAudio {
  return new UnsupportedAudio(`M4A and MP4 files cannot be read. ${whatToUse()}`);
}

function whatToUse(): string {
  return `Use one of: ${FILE_KINDS.map(({ name }) => name).join("; ")}.`;
}
