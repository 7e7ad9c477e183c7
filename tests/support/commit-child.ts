// Commits rows one after another without end and says which ones were acknowledged. Started by
// tests that kill it.

import { writeSync } from "node:fs";
import { Database } from "bun:sqlite";
import { createGroupCommit } from "../../src/platform/commit.ts";

const WRITERS = 20;
const STDOUT = 1;

const sqlite = new Database(process.argv[2] ?? "", { strict: true });
for (const pragma of ["busy_timeout=0", "journal_mode=WAL", "synchronous=FULL"]) {
  sqlite.run(`PRAGMA ${pragma}`);
}
sqlite.run("CREATE TABLE numbers (number INTEGER PRIMARY KEY)");
const insert = sqlite.prepare("INSERT INTO numbers VALUES (?)");
const { commit } = createGroupCommit(sqlite);
let last = 0;

async function write(): Promise<never> {
  for (;;) {
    const number = ++last;
    await commit(() => void insert.run(number));
    writeSync(STDOUT, `${number}\n`);
  }
}

await Promise.all(Array.from({ length: WRITERS }, write));
