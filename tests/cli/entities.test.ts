import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tag } from "../../src/cli/tag.ts";
import { train } from "../../src/cli/train.ts";
import { type Run, endOf, runCommand } from "../support/command.ts";

const CHILD = join(import.meta.dir, "../support/entities-child.ts");
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "earshot-entities-"));
  const lines = Array.from({ length: 20 }, (_, at) =>
    JSON.stringify({
      tokens: ["Tom", "Hill", "is", "in", at % 2 === 0 ? "Oslo" : "Lima", "now"],
      tags: ["B-PER", "I-PER", "O", "O", "B-LOC", "O"],
    }),
  );
  writeFileSync(join(folder, "set.jsonl"), lines.join("\n"));
  writeFileSync(
    join(folder, "bad.jsonl"),
    `${lines[0] ?? ""}\n{"tokens":["a"],"tags":[]}\nnothing\n`,
  );
  writeFileSync(join(folder, "hindi.jsonl"), '{"tokens":["भारत","में"],"tags":["B-LOC","O"]}\n');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const inFolder = (args: string[]): string[] =>
  args.map((arg) => (arg.startsWith("./") ? join(folder, arg) : arg));

function run([command = "", ...args]: string[]): Promise<Run> {
  return runCommand(command === "train" ? train : tag, inFolder(args));
}

/** In a process of its own, with a text on its standard input. */
function runOn(input: string, args: string[]): Promise<Run> {
  return endOf(
    Bun.spawn([process.execPath, CHILD, ...inFolder(args)], {
      stdin: new Blob([input]),
      stdout: "pipe",
      stderr: "pipe",
    }),
  );
}

describe("tag", () => {
  test("writes a JSON line for every entity of the text it is given", async () => {
    const { code, out } = await runOn("Barack Obama is in London.", ["tag"]);
    expect(code).toBe(0);
    expect(
      out
        .trim()
        .split("\n")
        .map((line): unknown => JSON.parse(line)),
    ).toEqual([
      { text: "Barack Obama", label: "PER", start: 0, end: 12 },
      { text: "London", label: "LOC", start: 19, end: 25 },
    ]);
  });

  test("--test writes one line of scores in per cent", async () => {
    for (const extra of [[], ["--lower"], ["--language", "en"]]) {
      const { code, out } = await run(["tag", "--test", "./set.jsonl", ...extra]);
      expect(code).toBe(0);
      expect(out.split("\n").length).toBe(2);
      const score = JSON.parse(out) as Record<string, unknown>;
      expect(Object.keys(score)).toEqual(["f1", "precision", "recall", "by"]);
      expect(Object.keys(score["by"] as object)).toEqual(["PER", "ORG", "LOC"]);
      expect(score["f1"]).toBeGreaterThan(50);
    }
  });

  test("the language of a sentence is told by its script", async () => {
    expect(JSON.parse((await run(["tag", "--test", "./hindi.jsonl"])).out)).toMatchObject({
      f1: 100,
    });
  });

  test("tells wrong usage from failure", async () => {
    expect((await run(["tag", "--language", "fr"])).code).toBe(2);
    expect((await run(["tag", "--nothing"])).code).toBe(2);
    expect((await run(["tag", "--test", "./set.jsonl", "./set.jsonl"])).code).toBe(2);
    expect((await run(["tag", "./absent.txt"])).code).toBe(1);
    expect((await runOn("x", ["tag", "--model", "./set.jsonl"])).code).toBe(1);
    const bad = await run(["tag", "--test", "./bad.jsonl"]);
    expect(bad.code).toBe(1);
    expect(bad.err).toContain("bad.jsonl:2: 1 tokens but 0 tags");
  });
});

describe("train", () => {
  test("writes a model that tag takes, the same every time", async () => {
    const arg = ["train", "./set.jsonl", "--epochs", "2", "--out"];
    const first = await run([...arg, "./one.zst"]);
    expect(first.code).toBe(0);
    expect(first.out).toContain("epoch 2 of 2");
    expect((await run([...arg, "./two.zst"])).code).toBe(0);
    const [one, two] = ["one.zst", "two.zst"].map((name) => readFileSync(join(folder, name)));
    expect(one?.equals(two ?? Buffer.of())).toBe(true);
    const { out } = await run(["tag", "--test", "./set.jsonl", "--model", "./one.zst"]);
    expect(JSON.parse(out)).toMatchObject({ f1: 100 });
    expect(readdirSync(folder).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  test("takes texts without labels, plain or in posts", async () => {
    const texts = ["Tom Hill is now in Lima again", '{"content":"Now Tom Hill is in Oslo too"}'];
    writeFileSync(join(folder, "texts.jsonl"), texts.join("\n"));
    const arg = ["train", "./set.jsonl", "--epochs", "2", "--out", "./three.zst", "--unlabelled"];
    expect((await run([...arg, "./texts.jsonl"])).code).toBe(0);
    expect((await run([...arg, "./absent.jsonl"])).code).toBe(1);
    const { out } = await run(["tag", "--test", "./set.jsonl", "--model", "./three.zst"]);
    expect(JSON.parse(out)).toMatchObject({ f1: 100 });
  });

  test("names bad lines with their numbers", async () => {
    const { code, err } = await run(["train", "./bad.jsonl", "--out", "./no.zst"]);
    expect(code).toBe(1);
    expect(err).toContain("bad.jsonl:2: 1 tokens but 0 tags");
    expect(err).toContain("bad.jsonl:3: not JSON");
  });

  test("tells wrong usage from failure", async () => {
    expect((await run(["train", "./set.jsonl"])).code).toBe(2);
    expect((await run(["train", "--out", "./x"])).code).toBe(2);
    expect((await run(["train", "./set.jsonl", "--out", "./x", "--epochs", "0"])).code).toBe(2);
    expect((await run(["train", "./absent.jsonl", "--out", "./x"])).code).toBe(1);
  });
});
