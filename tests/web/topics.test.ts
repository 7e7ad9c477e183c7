import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Page } from "playwright-core";
import {
  chooseColumns,
  createPostReader as createSimulatedReader,
} from "../../src/cli/simulate/columns.ts";
import { createPostReader, guessColumns, isBad } from "../../src/web/topics/columns.ts";
import { compare } from "../../src/web/topics/comparison.ts";
import { createCsvParser } from "../../src/web/topics/csv.ts";
import { readEvents } from "../../src/web/parts/events.ts";
import { readPostsFile } from "../../src/web/topics/posts-file.ts";
import { columnsOf, ticksOf } from "../../src/web/topics/timeline-days.ts";
import type { TestApp } from "../support/app.ts";
import { type TestBrowser, hasBrowser, startBrowser, violationsOf } from "../support/browser.ts";
import {
  type SentPost,
  drained,
  ndjson,
  sendAll,
  startToldApp,
  talkOf,
} from "../support/topics.ts";

const DAY_MS = 86_400_000;
const daysAgo = (days: number): string =>
  new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10);

const times = (
  count: number,
  publication: string,
  content: string,
  published_at = "2026-01-10",
): SentPost[] => Array.from({ length: count }, () => ({ content, publication, published_at }));

const POSTS = [
  ...times(6, "The Daily", "PER Ada Lovelace\nLOC Berlin"),
  ...times(2, "The Daily", "PER Ada Lovelace", "2026-01-13"),
  ...times(2, "The Daily", "ORG Acme", daysAgo(0)),
  ...times(5, "Weekly Post", "PER Grace Hopper\nLOC Berlin"),
  ...times(5, "Weekly Post", "ORG Acme"),
  ...times(3, "Broken Times", "throw it is broken"),
];

describe.skipIf(!hasBrowser)("topics in the browser (needs chromium)", () => {
  let app: TestApp;
  let browser: TestBrowser;

  beforeAll(async () => {
    [app, browser] = await Promise.all([startToldApp(), startBrowser()]);
    await sendAll(app, POSTS);
    await drained(app);
  });
  afterAll(async () => {
    await browser.close();
    await app.stop();
    expect(browser.complaints).toEqual([]);
  });

  const openTopics = (address = ""): Promise<Page> => browser.open(`${app.url}/topics${address}`);
  const namesIn = (page: Page): Promise<string[]> => page.locator(".bar-row b").allTextContents();

  test("publications are told with what is particular to them, found by name, and opened", async () => {
    const page = await openTopics();
    const daily = page.getByRole("article").filter({ hasText: "The Daily" });
    await daily.getByText("10 posts · 3 topics").waitFor();
    await daily.getByRole("listitem").first().getByText("Ada Lovelace").waitFor();
    expect(await page.locator("article h2").allTextContents()).toEqual([
      "The Daily",
      "Weekly Post",
      "Broken Times",
    ]);
    expect(await violationsOf(page)).toEqual([]);
    await page.getByLabel("Find a publication").fill("week");
    await page.getByText("1 publication of 3").waitFor();
    await page.getByRole("link", { name: "Weekly Post" }).click();
    await page.getByRole("heading", { level: 1, name: "Weekly Post" }).waitFor();
    await page.getByRole("link", { name: /Grace Hopper/ }).waitFor();
    await browser.leave(page);
  });

  test("the topics of a publication are narrowed, and the address says how", async () => {
    const page = await openTopics("/The%20Daily");
    const ada = page.getByRole("link", {
      name: /Ada Lovelace person 8 posts 2(?:.3)?× times as likely/,
    });
    await ada.waitFor();
    expect(await namesIn(page)).toEqual(["Ada Lovelace", "Berlin", "Acme"]);
    await page.getByLabel("Kind").selectOption("Places");
    await page.waitForFunction(() => document.querySelectorAll(".bar-row").length === 1);
    expect(await namesIn(page)).toEqual(["Berlin"]);
    expect(page.url()).toEndWith("/topics/The%20Daily?label=LOC");
    await page.goBack();
    await ada.waitFor();
    await page.getByLabel("Find").fill("acm");
    await ada.waitFor({ state: "detached" });
    expect(await namesIn(page)).toEqual(["Acme"]);
    await page.getByLabel("Kind").selectOption("People");
    await page.getByText("Nothing fits what you chose.").waitFor();
    await page.getByRole("link", { name: "Show everything" }).click();
    await ada.waitFor();
    expect(await page.getByLabel("Find").inputValue()).toBe("");
    await page.getByLabel("Period").selectOption("Last week");
    await ada.waitFor({ state: "detached" });
    expect(await namesIn(page)).toEqual(["Acme"]);
    await page.getByLabel("Period").selectOption("Own dates");
    await page.getByLabel("From", { exact: true }).fill("2026-01-01");
    await page.getByLabel("To", { exact: true }).fill("2026-01-31");
    await ada.waitFor();
    await page.reload();
    await ada.waitFor();
    expect(await namesIn(page)).toEqual(["Ada Lovelace", "Berlin"]);
    await page.getByRole("button", { name: "Words" }).click();
    await page.getByRole("listitem").getByText("Ada Lovelace, person, 8 posts").waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await browser.leave(page);
  });

  test("a topic over time is read by the keyboard, from a table, and left again", async () => {
    const page = await openTopics("/The%20Daily");
    await tabTo(page, /^Ada Lovelace/);
    await page.keyboard.press("Enter");
    const chart = page.getByRole("slider", { name: "Ada Lovelace over time" });
    await chart.waitFor();
    await page.getByText("8 posts on 2 days").waitFor();
    expect(await chart.getAttribute("aria-valuetext")).toBe("13 Jan 2026: 2 posts");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toContain(
      "Ada Lovelace",
    );
    await tabTo(page, /^$/, "slider");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    expect(await chart.getAttribute("aria-valuetext")).toBe("11 Jan 2026: 0 posts");
    await page.keyboard.press("Home");
    expect(await page.locator(".chart-figure").textContent()).toBe("10 Jan 2026: 6 posts");
    expect(await violationsOf(page)).toEqual([]);
    const { x, y, width } = (await chart.boundingBox()) ?? { x: 0, y: 0, width: 0 };
    await page.mouse.move(x + width - 2, y + 9);
    await page.locator(".chart-figure").getByText("13 Jan 2026: 2 posts").waitFor();
    await tabTo(page, /as a table/);
    await page.keyboard.press("Enter");
    const cells = await page.getByRole("row").allTextContents();
    expect(cells).toEqual(["DayPosts", "10 Jan 20266", "13 Jan 20262"]);
    await page.getByRole("link", { name: "Close" }).press("Enter");
    await chart.waitFor({ state: "detached" });
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("topic-PER-Ada Lovelace");
    await browser.leave(page);
  });

  test("publications are compared side by side", async () => {
    const page = await openTopics();
    for (const name of ["The Daily", "Weekly Post"]) {
      await page.getByRole("checkbox", { name: `Compare ${name}` }).check();
    }
    await page.getByRole("link", { name: "Compare 2" }).click();
    await page.getByRole("row").getByText("Ada Lovelace").waitFor();
    const rows = await page.getByRole("row").allInnerTexts();
    const plain = rows.map((row) => row.replaceAll(/[\s,]+/g, " ").trim());
    expect(plain).toEqual([
      "Topic The Daily Weekly Post",
      "Ada Lovelace person 80% 0%",
      "Berlin place 60% 50%",
      "Acme organisation 20% 50%",
      "Grace Hopper person 0% 50%",
    ]);
    const special = page.getByRole("heading", { level: 3, name: "Weekly Post" }).locator("..");
    await special.getByText("Grace Hopper").waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await page.getByLabel("Kind").selectOption("Organisations");
    await page.getByRole("row").getByText("Ada Lovelace").waitFor({ state: "detached" });
    expect(page.url()).toContain("with=The+Daily&with=Weekly+Post");
    await browser.leave(page);
  });

  test("the queue is told as it moves, and posts that could not be read are sent back", async () => {
    const page = await openTopics("?view=posts");
    const figure = (words: string) =>
      page.locator(".figures .card", { hasText: words }).locator("dd");
    const listed = page.getByText("it is broken");
    await listed.nth(2).waitFor();
    expect(await figure("done").textContent()).toBe("20");
    expect(await figure("could not be read").textContent()).toBe("3");
    // What was wrong is mended.
    const database = new Database(join(app.folder, "earshot.db"));
    database.run("UPDATE posts SET content = 'PER Grace' WHERE content LIKE 'throw %'");
    database.close();
    await page
      .getByRole("button", { name: /Try again/ })
      .first()
      .click();
    await page.getByText("It is sent back to the queue.").waitFor();
    await figure("done").getByText("21").waitFor();
    await listed.nth(2).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Try all again" }).click();
    await page.getByText("2 posts sent back to the queue.").waitFor();
    await figure("done").getByText("23").waitFor();
    await figure("could not be read").getByText("0").waitFor();
    expect(await talkOf(app, "Broken Times")).toEqual(["PER Grace: 3"]);
    await browser.leave(page);
  });

  test("is not there for those who may not send posts", async () => {
    const page = await openTopics();
    await page.route("**/v1/queue?*", (route) => route.fulfill({ status: 401, json: {} }));
    await page.goto(`${app.url}/topics?view=posts`);
    await page.getByText("Only an admin, or a program with a key").waitFor();
    expect(await page.getByRole("link", { name: "Posts and queue" }).count()).toBe(0);
    await browser.leave(page);
  });

  test("a file of posts is sent, again without doubling, and waits when it is told to", async () => {
    const page = await openTopics("?view=posts");
    let refusals = 1;
    await page.route("**/v1/posts/bulk?*", (route) =>
      refusals-- > 0
        ? route.fulfill({
            status: 503,
            headers: { "retry-after": "1" },
            json: { code: "draining", detail: "The server is stopping" },
          })
        : route.continue(),
    );
    const csv =
      'Source,Text,Date\r\nThe "New",PER Mary,2026-02-01\r\nThe "New","LOC Rome\nPER Mary\nsaid ""yes""",\r\nThe "New",,\r\nodd\r\n';
    const send = async (): Promise<void> => {
      await page
        .getByLabel("Choose a CSV or JSONL file")
        .setInputFiles({ name: "posts.csv", mimeType: "text/csv", buffer: Buffer.from(csv) });
      expect(await page.getByRole("combobox", { name: "Text" }).inputValue()).toBe("Text");
      expect(await page.getByRole("combobox", { name: "Publication" }).inputValue()).toBe("Source");
      await page.getByRole("button", { name: "Send" }).click();
    };
    await send();
    await page.getByText("The server is stopping. Going on in 1 s.").waitFor();
    await page.getByText("2 new · 0 known before · 2 refused").waitFor();
    await page.getByText("All of it is sent.").waitFor();
    await page.getByText("Why 2 lines did not go").click();
    await page.getByText("Line 6: Text has no text").waitFor();
    await page.getByText("Line 7: not as many fields as the header").waitFor();
    await send();
    await page.getByText("0 new · 2 known before · 2 refused").waitFor();
    await drained(app);
    expect(await talkOf(app, 'The "New"')).toEqual(["PER Mary: 2", "LOC Rome: 1"]);
    await browser.leave(page);
  });

  test("columns that do not tell what they are can be chosen", async () => {
    const page = await openTopics("?view=posts");
    const lines = ndjson([
      { words: "PER Joan", key: 1 },
      { words: "PER Joan", key: 2 },
    ]);
    const file = page.getByLabel("Choose a CSV or JSONL file");
    const mimeType = "application/x-ndjson";
    await file.setInputFiles({ name: "a.json", mimeType, buffer: Buffer.from("[{}]") });
    await page.getByText("a.json: This is one JSON array.").waitFor();
    await file.setInputFiles({ name: "b.jsonl", mimeType, buffer: Buffer.from(lines) });
    const button = page.getByRole("button", { name: "Send" });
    expect(await button.isDisabled()).toBe(true);
    // The focus comes along to what is asked now.
    const text = page.getByRole("combobox", { name: "Text" });
    expect(await text.evaluate((element) => element === document.activeElement)).toBe(true);
    await page.getByRole("combobox", { name: "Text" }).selectOption("words");
    await page.getByLabel("Name of the publication").fill("Own");
    await page.getByRole("combobox", { name: "Id" }).selectOption("key");
    expect(await violationsOf(page)).toEqual([]);
    await button.click();
    await page.getByText("2 new · 0 known before · 0 refused").waitFor();
    await drained(app);
    expect(await talkOf(app, "Own")).toEqual(["PER Joan: 2"]);
    await browser.leave(page);
  });
});

/** Goes on by the Tab key until the focus is on what says this. */
async function tabTo(page: Page, words: RegExp, role: string | null = null): Promise<void> {
  const STEPS_MAX = 60;
  for (let step = 0; step < STEPS_MAX; step++) {
    await page.keyboard.press("Tab");
    const [text, itsRole] = await page.evaluate(() => [
      document.activeElement?.textContent?.trim() ?? "",
      document.activeElement?.getAttribute("role") ?? null,
    ]);
    if (role === null ? words.test(text ?? "") : itsRole === role) return;
  }
  throw new Error(`the keyboard does not come to ${words}`);
}

describe("a CSV file", () => {
  const TEXT = 'a,b\r\n"x, ""q""\r\nz",2\n\n3,"";\r5,6 "in" 7\n,\n"é"';
  const RECORDS = [
    { line: 1, values: ["a", "b"] },
    { line: 2, values: ['x, "q"\r\nz', "2"] },
    { line: 5, values: ["3", ";"] },
    { line: 6, values: ["5", '6 "in" 7'] },
    { line: 7, values: ["", ""] },
    { line: 8, values: ["é"] },
  ];

  test.each([1, 2, 3, 5, 100])("says the same in pieces of %d characters", (size) => {
    const parser = createCsvParser();
    const pieces = TEXT.match(new RegExp(`.{1,${size}}`, "gs")) ?? [];
    expect([...pieces.flatMap((piece) => parser.push(piece)), ...parser.end()]).toEqual(RECORDS);
  });

  test("whose quotation mark is never closed is refused in words", () => {
    const parser = createCsvParser();
    parser.push('a,b\n1,"2\n3,4\n');
    expect(() => parser.end()).toThrow("at line 2 is never closed");
  });

  test("may be separated by something else, and be saved as UTF-16", async () => {
    const text = "\uFEFFtext;source\n1,5 km;é\n";
    const wide = new Blob([new Uint8Array(Buffer.from(text, "utf16le"))]);
    for (const file of [new Blob([text]), wide]) {
      expect(await Array.fromAsync(readPostsFile(file, () => undefined))).toEqual([
        { line: 2, fields: { text: "1,5 km", source: "é" } },
      ]);
    }
  });
});

test("a post of a file is the same post as the simulator's", () => {
  const RECORDS: Record<string, unknown>[] = [
    { text: "Ada came.", Source: " The Daily ", date: "2026-01-31 12:00" },
    { text: "Ada came.", Source: "The Daily", date: 1_700_000_000 },
    { text: "Zoë 🎉".repeat(20), Source: "हिन्दी", date: "2026-01-31T12:00:00+05:30" },
    { text: "half \uD83D", Source: "x", date: "Tue, 03 Mar 2026 10:00:00 GMT" },
    { text: "a", Source: "x", date: "2026-02-30" },
    { text: "a", Source: "x", date: "soon" },
    { text: "", Source: "x", date: null },
    { text: 7, Source: " ", date: "" },
  ];
  const names = Object.keys(RECORDS[0] ?? {});
  const read = createPostReader(guessColumns(names));
  const simulated = createSimulatedReader(chooseColumns(RECORDS[0] ?? {}, {}));
  for (const record of RECORDS) {
    const post = read(record, 1);
    const other = simulated(record, 1);
    if (isBad(post)) expect<object>(post).toEqual(other);
    else {
      const { content, publication, external_id: externalId, published_at: publishedAt } = post;
      expect<object>({ content, publication, externalId, publishedAt }).toEqual(other);
    }
  }
});

test("a chart has a column for every day, and longer ones when there are many", () => {
  const counts = [
    { day: "2026-01-30", count: 2 },
    { day: "2026-02-02", count: 3 },
  ];
  expect(columnsOf(counts, {}).map(({ count }) => count)).toEqual([2, 0, 0, 3]);
  expect(columnsOf(counts, { since: "2026-01-29", until: "2026-02-03" })).toHaveLength(6);
  const year = columnsOf(counts, { since: "2025-02-03" });
  expect(year).toHaveLength(53);
  expect(year.reduce((sum, { count }) => sum + count, 0)).toBe(5);
  expect(columnsOf([], {})).toEqual([]);
  expect([1, 7, 100, 4_321].map((most) => ticksOf(most).at(-1))).toEqual([1, 8, 100, 6_000]);
});

test("a topic that is not among those read of a publication is under the rarest of them", () => {
  const topic = (name: string, count: number) => ({ topic: name, label: "PER" as const, count });
  const listed = { posts: 10, isWhole: true, publication: "a", topics: [topic("Ada", 5)] };
  const part = { posts: 100, isWhole: false, publication: "b", topics: [topic("Bob", 8)] };
  const cells = compare([listed, part], 9).map(({ topic: name, cells: [one, other] }) => [
    name,
    one?.share,
    other?.share,
    other?.isBelow,
  ]);
  expect(cells).toEqual([
    ["Ada", 0.5, 0.08, true],
    ["Bob", 0, 0.08, false],
  ]);
});

test("events come whole, however the stream is cut, and comments are none", async () => {
  const bytes = new TextEncoder().encode(
    ': here\n\nevent: queue\ndata: {"é":1}\n\ndata: a\ndata: b\n\n',
  );
  let pieces = 0;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (controller) => {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  expect(await Array.fromAsync(readEvents(body, () => pieces++))).toEqual([
    { event: "queue", data: '{"é":1}' },
    { event: "message", data: "a\nb" },
  ]);
  expect(pieces).toBe(bytes.length);
});
