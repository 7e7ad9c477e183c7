import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { readFileSync } from "node:fs";
import { eq } from "drizzle-orm";
import type { Page } from "playwright-core";
import type { Transcription } from "../../src/features/transcription/model.ts";
import { segments } from "../../src/schema.ts";
import { type TestApp, postJson } from "../support/app.ts";
import { type TestBrowser, hasBrowser, startBrowser, violationsOf } from "../support/browser.ts";
import { startListeningApp } from "../support/listening.ts";
import { wavFile } from "../support/speaker.ts";
import { type Speech, speakInto } from "../support/spoken.ts";

const FIXTURES = join(import.meta.dir, "../fixtures");
/** Sound is not sent further ahead than 20 s, so that this much is not over at once. */
const LONG_S = 1_200;

describe.skipIf(!hasBrowser)("transcriptions in the browser (needs chromium)", () => {
  let app: TestApp;
  let browser: TestBrowser;
  let speech: Speech;

  beforeAll(async () => {
    [{ app }, browser] = await Promise.all([startListeningApp(), startBrowser()]);
    speech = speakInto(app);
  });
  afterAll(async () => {
    await browser.close();
    await speech.close();
    await app.stop();
    expect(browser.complaints).toEqual([]);
  });

  const save = async (transcription: string, language = "en"): Promise<Transcription> => {
    const body = { user_id: 7, language, transcription };
    const answer = await postJson(`${app.url}/v1/transcriptions/save`, body);
    return (await answer.json()) as Transcription;
  };

  /** Two utterances with a person, a place and an organisation in the first. */
  const spoken = async (title: string, { isOver = true } = {}): Promise<number> => {
    const row = await speech.begin(7, "en", title);
    const words = "um Ada met Siemens in Pune";
    await row.say({ text: words, startMs: 3_000, endMs: 5_000 }, "Ada met Siemens in Pune");
    await row.say({ text: "they talked", startMs: 65_000, endMs: 66_000 }, "they talked");
    const entities = [
      { text: "Ada", label: "PER", start: 0, end: 3 },
      { text: "Siemens", label: "ORG", start: 8, end: 15 },
      { text: "Pune", label: "LOC", start: 19, end: 23 },
    ];
    const { db, commit } = speech.database;
    await commit(
      () => void db.update(segments).set({ entities }).where(eq(segments.text, words)).run(),
    );
    if (isOver) await row.end();
    return row.id;
  };

  const read = (id: number): Promise<Response> => fetch(`${app.url}/v1/transcriptions/${id}`);
  const wordsOf = async (id: number): Promise<string> =>
    ((await (await read(id)).json()) as Transcription).transcription;

  const press = async (page: Page, name: string | RegExp): Promise<void> => {
    await page.getByRole("button", { name }).first().focus();
    await page.keyboard.press("Enter");
  };

  test("are told newest first, and what was said is found, marked, counted and kept in the address", async () => {
    const page = await browser.open(`${app.url}/transcriptions`);
    await page.getByText("Nothing has been transcribed yet").waitFor();

    await save("The first meeting <b>was</b> short");
    await save("आज की बैठक दिल्ली में है", "hi");
    await page.reload();
    const names = page.locator(".transcription-card b");
    await names.first().waitFor();
    expect(await names.allTextContents()).toEqual([
      "आज की बैठक दिल्ली में है",
      "The first meeting <b>was</b> short",
    ]);

    await page.getByLabel("Find what was said").fill("meet");
    await page.getByRole("status").getByText("1 place found").waitFor();
    expect(new URL(page.url()).search).toBe("?q=meet");
    const found = page.getByRole("link", { name: /The first meeting <b>was<\/b> short/ });
    expect(await found.locator("mark").allTextContents()).toEqual(["meeting"]);

    const language = page.getByRole("combobox", { name: "Language", exact: true });
    await language.selectOption("hi");
    await page.getByRole("status").getByText("Nothing was found").waitFor();
    expect(new URL(page.url()).search).toBe("?q=meet&language=hi");
    await language.selectOption("");
    await found.click();
    await page.getByRole("heading", { level: 1 }).getByText("The first meeting").waitFor();
    await browser.leave(page);
  });

  test("are edited with the keyboard alone, and what an edit replaced is shown", async () => {
    const id = await spoken("Trains");
    const page = await browser.open(`${app.url}/transcriptions/${id}`);
    await page.getByText("they talked").waitFor();
    await press(page, "Edit: they talked");
    const field = page.getByRole("textbox", { name: "Words at 1:05, as heard" });
    await field.waitFor();
    await page.keyboard.type(" nonsense");
    await page.keyboard.press("Escape");
    const edit = page.getByRole("button", { name: "Edit: they talked" });
    await edit.and(page.locator(":focus")).waitFor();
    expect(await field.count()).toBe(0);

    await page.keyboard.press("Enter");
    await field.waitFor();
    await page.keyboard.type(" about trains");
    await page.keyboard.press("Enter");
    const edited = page.getByRole("button", { name: "Edit: they talked about trains" });
    await edited.and(page.locator(":focus")).waitFor();
    expect(await wordsOf(id)).toBe("um Ada met Siemens in Pune they talked about trains");

    await press(page, "Edit the title");
    await page.getByRole("textbox", { name: "Title" }).fill("Trains again");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Trains again" }).waitFor();

    await press(page, "What changed");
    const changes = page.getByRole("dialog").getByRole("listitem");
    await changes.nth(1).waitFor();
    const told = await changes.allTextContents();
    expect(told[0]).toMatch(/^The title.*Before: Trains$/);
    expect(told[1]).toMatch(/^The words at 1:05.*Before: they talked$/);
    expect(await violationsOf(page)).toEqual([]);
    await browser.leave(page);
  });

  test("lose nothing typed when somebody was quicker", async () => {
    const { id } = await save("what was said");
    const page = await browser.open(`${app.url}/transcriptions/${id}`);
    await press(page, "Edit: what was said");
    const field = page.getByRole("textbox", { name: "Words, as heard" });
    await field.fill("what I heard");
    await fetch(`${app.url}/v1/transcriptions/${id}`, {
      method: "PATCH",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ transcription: "what they heard" }),
    });
    await page.keyboard.press("Enter");
    await page.getByRole("alert").waitFor();
    expect(await field.inputValue()).toBe("what I heard");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Edit: what I heard" }).waitFor();
    expect(await wordsOf(id)).toBe("what I heard");
    await browser.leave(page);
  });

  test("are saved as files of every kind, as heard or cleaned", async () => {
    const page = await browser.open(`${app.url}/transcriptions/${await spoken("A talk")}`);
    const saved = async (button: string) => {
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: button }).click(),
      ]);
      const text = readFileSync(await download.path(), "utf8");
      return { name: download.suggestedFilename(), text };
    };
    await page.getByRole("button", { name: "Download" }).click();
    const text = await saved("Text");
    expect(text).toEqual({ name: "A talk.txt", text: "um Ada met Siemens in Pune\nthey talked\n" });
    await page.getByRole("status").getByText("A talk.txt is saved").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Cleaned" }).click();
    await page.getByRole("button", { name: "Download" }).click();
    expect((await saved("Subtitles (SRT)")).text).toContain("Ada met Siemens in Pune");
    expect((await saved("Subtitles for the web")).text).toStartWith("WEBVTT");
    const { text: everything } = await saved("Everything");
    expect(JSON.parse(everything)).toMatchObject({ title: "A talk", segments: [{}, {}] });
    await browser.leave(page);
  });

  test("grow by themselves while they are spoken, and are deleted after one more question", async () => {
    const row = await speech.begin(7, "en", "On air");
    const page = await browser.open(`${app.url}/transcriptions/${row.id}`);
    await page.getByText("The first words come here").waitFor();
    await page.getByText("live", { exact: true }).waitFor();
    await row.say({ text: "good evening", startMs: 0, endMs: 900 }, "good evening");
    await page.getByRole("log").getByText("good evening").waitFor();
    await row.end();
    await page.getByText("live", { exact: true }).waitFor({ state: "detached" });
    await press(page, "Delete");
    await page.getByRole("dialog").getByText("Nothing brings them back").waitFor();
    await press(page, "Delete it");
    await page.getByRole("heading", { name: "Transcriptions" }).waitFor();
    expect((await read(row.id)).status).toBe(404);
    await browser.leave(page);
  });

  test("are made of files, one after the other, and what is no sound is said", async () => {
    const page = await browser.open(`${app.url}/transcriptions`);
    await page
      .getByLabel("Recordings")
      .setInputFiles([
        join(FIXTURES, "README.md"),
        join(FIXTURES, "speech.mp3"),
        join(FIXTURES, "speech.opus"),
      ]);
    await page.getByText("finds no sound that it knows").first().waitFor();
    const files = page.getByRole("region", { name: "Recordings" });
    const first = files.getByRole("link", { name: "Open speech.mp3" });
    await first.waitFor();
    await files.getByRole("link", { name: "Open speech.opus" }).waitFor();
    await files
      .getByRole("status")
      .getByText(/speech.opus: Done: 0:0[23]/)
      .waitFor();
    // The list has got them, too.
    await page.locator(".transcription-card").getByText("speech.opus").waitFor();
    await first.click();
    await page.getByRole("heading", { level: 1, name: "speech.mp3" }).waitFor();
    await page
      .getByText(/heard \d+ ms/)
      .first()
      .waitFor();
    await browser.leave(page);
  });

  test("are made of files that are dropped, up to where one cancels it", async () => {
    const page = await browser.open(`${app.url}/transcriptions`);
    await page.getByRole("heading", { name: "Transcriptions" }).waitFor();
    const header = wavFile(new Uint8Array(), {
      sampleRate: 8_000,
      bits: 8,
      dataBytes: 8_000 * LONG_S,
    });
    const transfer = await page.evaluateHandle(
      ([head, seconds]) => {
        const files = new DataTransfer();
        const silence = new Uint8Array(8_000 * seconds).fill(128);
        files.items.add(new File([Uint8Array.from(head), silence], "long.wav"));
        return files;
      },
      [[...header], LONG_S] as const,
    );
    await page.dispatchEvent(".transcriptions-head", "dragenter", { dataTransfer: transfer });
    await page.getByText("Let go").waitFor();
    await page.dispatchEvent(".transcriptions-head", "drop", { dataTransfer: transfer });
    await page.getByText("Let go").waitFor({ state: "detached" });
    const files = page.getByRole("region", { name: "Recordings" });
    await files.getByRole("progressbar", { name: "long.wav: progress" }).waitFor();
    await files.getByText("Listening:").first().waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await files.getByRole("button", { name: "Cancel long.wav" }).click();
    await files
      .getByRole("status")
      .getByText(/long.wav: Cancelled/)
      .waitFor();
    await files.getByRole("button", { name: "Put away long.wav" }).click();
    await files.waitFor({ state: "detached" });
    await browser.leave(page);
  });

  test("are not made of files that are too large for a browser", async () => {
    const page = await browser.open(`${app.url}/transcriptions`);
    const field = page.getByLabel("Recordings");
    await field.waitFor({ state: "attached" });
    await field.evaluate((element) => {
      const large = new File([""], "large.wav");
      Object.defineProperty(large, "size", { value: 101 * 1024 * 1024 });
      Object.defineProperty(element, "files", { value: [large] });
      element.dispatchEvent(new Event("change"));
    });
    await page.getByText("It has 101 MB, and 100 MB is the most").first().waitFor();
    await browser.leave(page);
  });

  test("have nothing that keeps anybody out, and mark names not by colours alone", async () => {
    const page = await browser.open(`${app.url}/transcriptions/${await spoken("Names")}`);
    await page.getByText("they talked").waitFor();
    await page.getByRole("button", { name: "Cleaned" }).click();
    // What each is can be seen without colours, and heard.
    const person = page.locator(".segments .person");
    expect(await person.textContent()).toBe("Ada (person)");
    const styles = await Promise.all(
      ["person", "place", "organisation"].map((kind) =>
        page
          .locator(`.segments .${kind}`)
          .evaluate((element) => getComputedStyle(element).textDecorationStyle),
      ),
    );
    expect(new Set(styles).size).toBe(3);
    await press(page, "Edit: they talked");
    await page.getByRole("textbox").waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await page.goto(`${app.url}/transcriptions?q=talked`);
    await page.locator("mark").first().waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await browser.leave(page);
  });
});
