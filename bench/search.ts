// What full-text search costs: a million segments of English and Hindi with the words' frequencies
// of real speech, kept as the server keeps them. `bun bench/search.ts [segments]`; ends by itself and
// leaves nothing behind.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createReading } from "../src/reading.ts";
import { createSearchIndex } from "../src/features/transcription/search.store.ts";
import { searchPage } from "../src/features/transcription/search-page.ts";
import { type Database, openDatabase } from "../src/platform/database.ts";
import { createLog } from "../src/platform/log.ts";
import { segments, transcriptions } from "../src/schema.ts";
import { readQuery } from "../src/text/search-text.ts";
import { spawnReadingWorker } from "../src/workers.ts";

const SEGMENTS = Number(process.argv[2] ?? 1_000_000);
const SEGMENTS_PER_TRANSCRIPTION = 250;
const VOCABULARY = 40_000;
/** The first user has half of everything, the last one a single transcription. */
const USERS = 20;
const BATCH = 500;
const SEARCHES = 200;
const PAGE = 20;
const COMMON = {
  en: "the and you that was for are with his they this have from one had word but not what all were when your can said there use each which she how their will other about out many then them these some her would make like him into time has look two more write see number way could people than first water been call who oil its now find long down day did get come made may part".split(
    " ",
  ),
  hi: "के है में की को का से और ने यह पर हैं कि एक नहीं भी इस वह तो था हो जो कर लिए अपने किया कहा गया हिन्दी बात दिया करने साथ बाद लेकिन अब समय कुछ सकता रहे उन्होंने जब तक लोग होता काम दो देश सरकार भारत आज लोगों".split(
    " ",
  ),
} as const;
type Language = keyof typeof COMMON;

let seed = 7;
/** The same numbers in every run (mulberry32). */
function random(): number {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
}

const below = (count: number): number => Math.floor(random() * count);

function vocabularyOf(language: Language): string[] {
  const syllables =
    language === "en"
      ? "an be con der en fi ga hu in jo ka lo men ni or pre qui re sta ti un vo wi ex y za ing tion er ly".split(
          " ",
        )
      : "क की म न्त रा जा प्र स्था त ना ल्य वि शे ष द्ध दी र सं घ व्य भा गी ह्म ने को ट ठ णा".split(" ");
  const words = new Set<string>(COMMON[language]);
  while (words.size < VOCABULARY) {
    words.add(
      Array.from({ length: 2 + below(4) }, () => syllables[below(syllables.length)]).join(""),
    );
  }
  return [...words];
}

const vocabulary = { en: vocabularyOf("en"), hi: vocabularyOf("hi") };
/** A word of the rank that Zipf's law gives. */
const word = (language: Language): string =>
  vocabulary[language][Math.floor(VOCABULARY ** random()) - 1] ?? "the";
const sentence = (language: Language): string =>
  Array.from({ length: 5 + below(15) }, () => word(language)).join(" ");
const ownerOf = (transcription: number): number =>
  transcription === 1 ? USERS : Math.floor(random() ** 2 * (USERS - 1)) + 1;

/** Keeps so many segments; returns how long it took and the bytes of their text. */
async function fill({ db, commit }: Database, count: number, isIndexed: boolean) {
  const index = createSearchIndex({ db, commit });
  let [transcription, owner, bytes] = [0, 0, 0];
  let language: Language = "en";
  const startedAt = performance.now();
  for (let done = 0; done < count; done += BATCH) {
    await commit(() => {
      for (let at = done; at < Math.min(count, done + BATCH); at++) {
        if (at % SEGMENTS_PER_TRANSCRIPTION === 0) {
          owner = ownerOf(++transcription);
          language = owner === USERS || random() < 0.6 ? "en" : "hi";
          db.insert(transcriptions)
            .values({ user_id: owner, language, created_at: at, updated_at: at })
            .run();
        }
        const text = sentence(language);
        bytes += Buffer.byteLength(text);
        // Every third text is shorter once it is cleaned.
        const processedText = at % 3 === 0 ? text.slice(text.indexOf(" ") + 1) : text;
        const { id } = db
          .insert(segments)
          .values({
            transcription_id: transcription,
            segment_id: `s-${at}`,
            seq: at,
            text,
            processed_text: processedText,
            language,
            start_ms: at * 3_000,
            end_ms: at * 3_000 + 2_800,
            words: [],
          })
          .returning({ id: segments.id })
          .get();
        if (isIndexed) index.put(id, { userId: owner, language, text, processedText });
      }
    });
  }
  return { ms: performance.now() - startedAt, bytes };
}

const pick = (from: number, to: number, language: Language = "en"): string =>
  vocabulary[language][from + below(to - from)] ?? "";

interface Kind {
  query(): string;
  userId?: number;
}
const KINDS: Record<string, Kind> = {
  "rare word": { query: () => pick(20_000, VOCABULARY) },
  "middling word": { query: () => pick(300, 3_000) },
  "the commonest words": { query: () => pick(0, 20) },
  "common, 5 letters and up": {
    query: () => ["about", "would", "there", "their", "which"][below(5)] ?? "",
  },
  "two words": { query: () => `${pick(50, 500)} ${pick(50, 500)}` },
  "two common words": { query: () => `${pick(0, 50)} ${pick(0, 50)}` },
  "common in two languages": { query: () => `${pick(0, 10)} ${pick(0, 10, "hi")}` },
  "beginning, 2 letters": { query: () => pick(80, 5_000).slice(0, 2) },
  "beginning, 3 letters": { query: () => pick(80, 5_000).slice(0, 3) },
  "beginning, 5 letters": { query: () => pick(80, 5_000).slice(0, 5) },
  "common phrase": { query: () => `"${pick(0, 20)} ${pick(0, 20)}"` },
  "Hindi word": { query: () => pick(50, 3_000, "hi") },
  "commonest Hindi words": { query: () => pick(0, 20, "hi") },
  "common, user of one": { query: () => pick(0, 20), userId: USERS },
  "common phrase, user of one": { query: () => `"${pick(0, 20)} ${pick(0, 20)}"`, userId: USERS },
  "common, user of many": { query: () => pick(0, 20), userId: 1 },
};

const folder = mkdtempSync(join(tmpdir(), "earshot-bench-"));
try {
  const sizeOf = (path: string): number => statSync(path).size;
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

  const sample = Math.min(SEGMENTS, 100_000);
  const rates: Record<string, number> = {};
  for (const isIndexed of [false, true, false, true]) {
    const database = openDatabase(join(folder, `sample-${isIndexed}-${Math.random()}.db`));
    const { ms } = await fill(database, sample, isIndexed);
    await database.close();
    const name = isIndexed ? "with the index" : "without";
    rates[name] = Math.max(rates[name] ?? 0, (sample / ms) * 1_000);
  }
  for (const [name, rate] of Object.entries(rates)) {
    console.log(`kept ${name}: ${Math.round(rate)} segments/s`);
  }
  console.log(
    `ratio ${((rates["without"] ?? 0) / (rates["with the index"] ?? 1)).toFixed(2)} (${BATCH} to a commit)`,
  );

  const path = join(folder, "earshot.db");
  const database = openDatabase(path);
  const { ms, bytes } = await fill(database, SEGMENTS, true);
  database.db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  const [index] = database.db.all<{ bytes: number }>(
    "SELECT sum(pgsize) AS bytes FROM dbstat WHERE name LIKE 'segment_search%'",
  );
  console.log(
    `\n${SEGMENTS} segments in ${(ms / 1_000).toFixed(0)} s: text ${megabytes(bytes)} MB, ` +
      `index ${megabytes(index?.bytes ?? 0)} MB, file ${megabytes(sizeOf(path))} MB\n`,
  );

  const log = createLog("silent", () => undefined);
  const reader = createReading({ database, path, spawn: spawnReadingWorker, log });
  const header = ["search", "found", "p50 ms", "p99 ms", "max ms", "CPU ms", "worker p50 ms"];
  const rows = [header];
  for (const [name, { query, userId }] of Object.entries(KINDS)) {
    const requests = Array.from({ length: SEARCHES }, () => ({
      terms: readQuery(query()),
      userId: userId ?? null,
      language: null,
      before: null,
      limit: PAGE,
    }));
    const [inline, beside]: [number[], number[]] = [[], []];
    let hits = 0;
    const cpu = process.cpuUsage();
    for (const request of requests) {
      const at = performance.now();
      hits += searchPage(database.db, request).results.length;
      inline.push(performance.now() - at);
    }
    const { user, system } = process.cpuUsage(cpu);
    for (const request of requests.slice(0, SEARCHES / 4)) {
      const at = performance.now();
      await reader.search(request);
      beside.push(performance.now() - at);
    }
    const part = (values: number[], share: number): string =>
      (
        values.sort((a, b) => a - b)[Math.floor(values.length * share)] ??
        values.at(-1) ??
        0
      ).toFixed(2);
    rows.push([
      name,
      (hits / SEARCHES).toFixed(1),
      part(inline, 0.5),
      part(inline, 0.99),
      part(inline, 1),
      ((user + system) / 1_000 / SEARCHES).toFixed(2),
      part(beside, 0.5),
    ]);
  }
  for (const row of rows) {
    console.log(row.map((cell, at) => (at === 0 ? cell.padEnd(28) : cell.padStart(9))).join(" "));
  }
  await reader.close(1_000);
  await database.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
