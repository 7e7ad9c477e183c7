import { join } from "node:path";
import { hear, hearBare, loadEngines } from "./hearing.ts";

// Sounds in which nobody speaks, through every recogniser that is here: how many words it invents
// alone, and how many of them are told.
//
//   bun noise.ts [SECONDS of each] [MODELS_DIR]

const SECONDS = Number(process.argv[2] ?? 600);
const MODELS_DIR = process.argv[3] ?? join(import.meta.dir, "../models");
const RATE_HZ = 16_000;

const SOUNDS: Record<string, () => (at: number) => number> = {
  silence: () => () => 0,
  "white noise at -20 dBFS": () => () => (random() - 0.5) * 0.35,
  "white noise that comes and goes": () => (at) =>
    (random() - 0.5) * 0.5 * Math.max(0, Math.sin((2 * Math.PI * at) / (RATE_HZ * 7))),
  "mains hum": () => (at) =>
    [1, 2, 3, 5].reduce((sum, n) => sum + Math.sin((2 * Math.PI * 50 * n * at) / RATE_HZ) / n, 0) /
    8,
  "chords, 2 a second": () => tune(2, [0, 4, 7]),
  "a piano's melody, 4 notes a second": () => tune(4, [0]),
};

let seed = 1;

console.log("| recogniser | sound | words alone | words told |");
console.log("|---|---|--:|--:|");
for (const { name, engine } of await loadEngines(MODELS_DIR)) {
  for (const [sound, make] of Object.entries(SOUNDS)) {
    seed = 1;
    const sampleAt = make();
    const samples = Float32Array.from({ length: SECONDS * RATE_HZ }, (_, at) => sampleAt(at));
    const alone = hearBare(engine, samples, true);
    const told = await hear(engine, samples);
    console.log(
      `| ${name} | ${sound} | ${alone === null ? "–" : wordsIn(alone)} | ${wordsIn(told)} |`,
    );
  }
}
process.exit(0);

function wordsIn(text: string): number {
  return text.split(/\s+/).filter((word) => word !== "").length;
}

/** Decaying notes with overtones, all of `intervals` (in semitones) at once. */
function tune(perSecond: number, intervals: readonly number[]): (at: number) => number {
  const notes = Array.from({ length: SECONDS * perSecond }, () => Math.floor(random() * 24));
  return (at) => {
    const index = Math.floor((at * perSecond) / RATE_HZ);
    const within = at / RATE_HZ - index / perSecond;
    const envelope = Math.min(1, within / 0.01) * Math.exp(-5 * within) * 0.25;
    return intervals.reduce((sum, interval) => {
      const hertz = 196 * 2 ** (((notes[index] ?? 0) + interval) / 12);
      const phase = (2 * Math.PI * hertz * at) / RATE_HZ;
      return sum + envelope * (Math.sin(phase) + Math.sin(2 * phase) / 2 + Math.sin(3 * phase) / 4);
    }, 0);
  };
}

/** Park and Miller's minimal standard generator: the same noise each time. */
function random(): number {
  seed = (seed * 48_271) % 2_147_483_647;
  return seed / 2_147_483_647;
}
