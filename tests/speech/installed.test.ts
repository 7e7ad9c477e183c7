import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createLog } from "../../src/platform/log.ts";
import { EngineMissing } from "../../src/speech/engine-missing.ts";
import { installedModels } from "../../src/speech/installed.ts";
import { locateVosk } from "../../src/speech/vosk.ts";

const modelsDir = mkdtempSync(join(tmpdir(), "earshot-installed-"));
afterAll(() => rmSync(modelsDir, { recursive: true }));

function put(...files: string[]): void {
  for (const file of files) {
    const path = join(modelsDir, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, "");
  }
}

test.skipIf(locateVosk() === null)(
  "a vosk model with a file missing does not stop others (needs the recogniser)",
  () => {
    put("vosk-model-hi-whole/am/final.mdl", "vosk-model-hi-whole/conf/mfcc.conf");
    put("vosk-model-hi-whole/conf/model.conf", "vosk-model-hi-whole/graph/words.txt");
    put("vosk-model-en-half/am/final.mdl");
    const lines: string[] = [];
    const log = createLog("warn", (line) => void lines.push(line)).part("speech");
    const some = { modelsDir, engine: null, log };
    const found = installedModels({ ...some, names: null });
    expect(found.map(({ info }) => info.model)).toEqual(["vosk-model-hi-whole"]);
    expect(lines).toEqual([expect.stringContaining("has no conf/mfcc.conf")]);
    expect(() => installedModels({ ...some, names: ["vosk-model-en-half"] })).toThrow(
      EngineMissing,
    );
  },
);
