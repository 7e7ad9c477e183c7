import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { transcribe } from "../../src/cli/transcribe.ts";
import { privateFolder } from "../../src/speech/private-folder.ts";
import { temporaryFolder } from "../support/app.ts";
import { runCommand } from "../support/command.ts";
import { isBuilt } from "../support/server.ts";

const NAME = "vosk";
const { TMPDIR } = process.env;

let temporary: string;
let expected: string;
beforeAll(() => {
  temporary = temporaryFolder();
  process.env["TMPDIR"] = temporary;
  expected = join(temporary, `earshot-${userInfo().uid}-${NAME}`);
});
afterAll(() => {
  if (TMPDIR === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = TMPDIR;
  rmSync(temporary, { recursive: true, force: true });
});

describe("the folder for what a binary writes out", () => {
  test("is this user's alone, and the same the next time", () => {
    for (let time = 0; time < 2; time++) expect(privateFolder(NAME)).toBe(expected);
    expect(statSync(expected).mode & 0o777).toBe(0o700);
  });

  const others: [string, () => void][] = [
    [
      "that others can write to",
      () => {
        mkdirSync(expected);
        chmodSync(expected, 0o777);
      },
    ],
    ["that is a link", () => symlinkSync(temporary, expected)],
    ["that is a file", () => writeFileSync(expected, "")],
  ];

  test.each(others)("is not one %s, which is said in one line", async (_, make) => {
    rmSync(expected, { recursive: true, force: true });
    make();
    expect(() => privateFolder(NAME)).toThrow(expected);
    if (!isBuilt) return;
    const settings = { TMPDIR: temporary, MODELS_DIR: "/proc/nowhere", SPEECH_ENGINE: "vosk" };
    const { code, out, err } = await runCommand(transcribe, ["sound.wav"], settings);
    expect([code, out]).toEqual([1, ""]);
    expect(err.trim().split("\n")).toHaveLength(1);
    expect(err).toContain(expected);
  });
});
