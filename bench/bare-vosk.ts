import { createDecoder } from "../src/speech/audio.ts";
import { loadVoskModel, locateVosk, openVosk } from "../src/speech/vosk.ts";
import { conversation } from "./speakers.ts";

// The peer of bench/captions.ts: the recogniser alone in a loop over the same sound, asked for its
// partial after each block as any caption server must. Prints its CPU per second of sound, the load
// of the model not counted.

const [folder = "", seconds = "60"] = process.argv.slice(2);
const source = locateVosk();
if (source === null) throw new Error("the bundled recogniser is not installed");
const sound = conversation(folder);
const BLOCK_BYTES = 3_200;
const blocks = (Number(seconds) * 1000) / 100;

const engine = openVosk(source, loadVoskModel(source));
const recogniser = engine.open(null);
const decoder = createDecoder({ encoding: "pcm_s16le", sampleRate: 16_000, channels: 1 });
let words = 0;
const before = process.cpuUsage();
for (let block = 0; block < blocks; block++) {
  const at = (block * BLOCK_BYTES) % sound.length;
  recogniser.accept(decoder.decode(sound.subarray(at, at + BLOCK_BYTES)));
  if (recogniser.hasEnded()) words += recogniser.ended().words.length;
  else recogniser.partial();
}
words += recogniser.final().words.length;
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ msPerSecond: (user + system) / 1000 / Number(seconds), words }));
process.exit(0);
