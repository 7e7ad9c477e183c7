import { createLog } from "../src/platform/log.ts";
import { createBlocks, toPcm16 } from "../src/speech/blocks.ts";
import type { Engine } from "../src/speech/engine.ts";
import { installedModels } from "../src/speech/installed.ts";
import { createLeveller } from "../src/speech/level.ts";
import { loadEngine } from "../src/speech/load.ts";
import type { SpeechModel } from "../src/speech/recognition.ts";
import { openSoundStream } from "../src/speech/stream.ts";
import { VOSK_INFO, locateVosk } from "../src/speech/vosk.ts";

// What the benches of recognisers share: the engines that are here, and ways to listen with them.

export interface LoadedEngine {
  name: string;
  engine: Engine;
}

/** The bundled recogniser and those in `modelsDir`, loaded in this thread. */
export async function loadEngines(modelsDir: string): Promise<LoadedEngine[]> {
  const bundled = locateVosk();
  const installed = installedModels({
    modelsDir,
    names: null,
    engine: null,
    log: createLog("silent"),
  });
  const models: SpeechModel[] =
    bundled === null ? installed : [{ source: bundled, info: VOSK_INFO }, ...installed];
  return Promise.all(
    models.map(async ({ source, info }) => ({
      name: `${info.engine} ${info.model}`,
      engine: (await loadEngine(source)).engine,
    })),
  );
}

/** The words that the whole way from bytes to finals gives, as in a live session. */
export async function hear(engine: Engine, samples: Float32Array): Promise<string> {
  const texts: string[] = [];
  const failures: unknown[] = [];
  const stream = await openSoundStream(
    engine,
    {
      format: { encoding: "pcm_s16le", sampleRate: 16_000, channels: 1 },
      language: null,
      endpointingMs: 800,
      startAt: 0,
    },
    (event) => void (event.type === "final" && texts.push(event.heard.text)),
    (error) => void failures.push(error),
  );
  const bytes = new Uint8Array(toPcm16(samples).buffer);
  for (let at = 0; at < bytes.length; at += 32_000) {
    await stream.push(bytes.subarray(at, at + 32_000));
    while (stream.accept()) {
      if (stream.engine.kind === "streaming") stream.engine.decode();
      stream.collect();
      await stream.wait();
    }
  }
  await stream.end();
  stream.free();
  if (failures.length > 0) throw failures[0];
  return texts.join(" ");
}

/** The words of the recogniser alone; null for one that needs the gate. */
export function hearBare(
  engine: Engine,
  samples: Float32Array,
  isLevelled: boolean,
): string | null {
  if (engine.kind !== "streaming") return null;
  const recogniser = engine.open(null);
  const leveller = createLeveller();
  const blocks = createBlocks();
  const texts: string[] = [];
  for (const block of [...blocks.push(samples), blocks.flush() ?? new Float32Array()]) {
    if (block.length === 0) continue;
    recogniser.accept(isLevelled ? leveller.level(block) : block);
    engine.decode();
    if (recogniser.hasEnded()) texts.push(recogniser.ended().text);
  }
  texts.push(recogniser.final().text);
  recogniser.free();
  return texts.join(" ");
}
