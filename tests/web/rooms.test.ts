import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { connectChat } from "../../src/client/chat.ts";
import { type TestApp, startTestApp } from "../support/app.ts";
import { type TestBrowser, hasBrowser, startBrowser, violationsOf } from "../support/browser.ts";

/** Some pages of them, and far more than are drawn at once. */
const MESSAGES = 2_000;

/** Who a page's visitor is, in open mode. */
const guest = (id: number, name: string) => ({
  kept: { "earshot.guest": JSON.stringify({ id: 2 ** 40 + id, name, role: "guest" }) },
});

const field = (page: Page) => page.getByLabel("Message", { exact: true });

const say = async (page: Page, text: string): Promise<void> => {
  await field(page).fill(text);
  await page.keyboard.press("Enter");
};

describe.skipIf(!hasBrowser)("a room in the browser (needs chromium)", () => {
  let app: TestApp;
  let browser: TestBrowser;

  beforeAll(async () => {
    [app, browser] = await Promise.all([startTestApp({ RATE_LIMITS: "off" }), startBrowser()]);
  });
  afterAll(async () => {
    await browser.close();
    await app.stop();
    expect(browser.complaints).toEqual([]);
  });

  test("what one writes, the other reads, and who is here and types is shown", async () => {
    const asha = await browser.open(`${app.url}/rooms/lobby`, guest(1, "Asha"));
    const phone = { ...guest(2, "Ben"), phone: true };
    const ben = await browser.open(`${app.url}/rooms/lobby`, phone);
    await asha.getByText("2 here").waitFor();
    await field(ben).pressSequentially("नमस्ते");
    await asha.getByText("Ben is typing…").waitFor();
    await ben.keyboard.press("Enter");
    await asha.getByRole("article", { name: /Ben/ }).getByText("नमस्ते").waitFor();
    // It is told politely to those who listen, too, and one's own words are not.
    const told = asha.getByRole("log", { name: "New messages" });
    expect(await told.textContent()).toBe("Ben: नमस्ते");
    expect(await told.getAttribute("aria-live")).toBe("polite");
    expect(await ben.getByRole("log", { name: "New messages" }).textContent()).toBe("");

    // Where nothing hovers, a tap shows what can be done with a message.
    await ben.getByRole("article").getByText("नमस्ते").tap();
    await ben.getByRole("button", { name: "Edit: नमस्ते" }).tap();
    await ben.getByRole("dialog").getByLabel("Message").fill("नमस्ते सब");
    await ben.getByRole("button", { name: "Save" }).click();
    await asha.getByText("नमस्ते सब (edited)").waitFor();
    await ben.getByRole("article").getByText("नमस्ते सब").tap();
    await ben.getByRole("button", { name: "Remove: नमस्ते सब" }).tap();
    await ben.getByRole("button", { name: "Remove it" }).click();
    await asha.getByText("Removed").waitFor();
    await ben.getByRole("button", { name: "More" }).tap();
    await ben.getByRole("button", { name: "Larger words" }).tap();
    await ben.getByRole("button", { name: "Share" }).tap();
    await ben.getByRole("dialog", { name: "Share this room" }).waitFor();
    await browser.leave(ben);
    await asha.getByText("1 here").waitFor();
    await browser.leave(asha);
  });

  test("has nothing that keeps anybody out, and large captions for a wall", async () => {
    const page = await browser.open(`${app.url}/rooms/access`);
    await page.getByRole("button", { name: "Change your name" }).waitFor();
    await say(page, "See https://example.org for more");
    await page.getByRole("button", { name: /Edit: See/ }).waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await page.getByRole("button", { name: "Change your name" }).click();
    await page.getByRole("textbox", { name: "Your name" }).fill("Chitra");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Others see you").waitFor({ state: "detached" });
    await page.getByRole("link", { name: /Chitra/ }).waitFor();
    await page.getByRole("button", { name: "Large captions" }).click();
    const wall = page.getByRole("log", { name: "What is said" });
    await wall.getByText("See https").waitFor();
    expect(await violationsOf(page)).toEqual([]);
    const small = await wall.evaluate((element) => getComputedStyle(element).fontSize);
    await page.getByRole("button", { name: "Larger words" }).click();
    const large = await wall.evaluate((element) => getComputedStyle(element).fontSize);
    expect(Number.parseFloat(large)).toBeGreaterThan(Number.parseFloat(small));
    await page.keyboard.press("Escape");
    await field(page).waitFor();
    await page.goto(app.url);
    await page.getByRole("heading", { name: "Rooms" }).waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await browser.leave(page);
  });

  test("words that are being spoken grow in place and never get lower", async () => {
    const page = await browser.open(`${app.url}/rooms`, guest(6, "Gita"));
    let hear: ((text: string) => void) | undefined;
    await page.routeWebSocket(/\/ws/, (socket) => {
      const server = socket.connectToServer();
      server.onMessage((frame) => socket.send(frame));
      socket.onMessage((frame) => server.send(frame));
      const user = { id: 9, name: "Hari" };
      hear = (text) =>
        socket.send(
          JSON.stringify({ type: "caption", room: "spoken", user, segment_id: "s", text }),
        );
    });
    await page.goto(`${app.url}/rooms/spoken`);
    await page.getByText("1 here").waitFor();
    const words = page.locator(".interim .words");
    const heights: number[] = [];
    for (const text of ["one", "many words ".repeat(40), "few words now"]) {
      hear?.(text);
      await words.getByText(text.trim()).waitFor();
      heights.push((await words.boundingBox())?.height ?? 0);
    }
    const [low = 0, high = 0, still] = heights;
    expect(high).toBeGreaterThan(low);
    expect(still).toBe(high);
    await page.context().close();
  });

  test("needs no mouse", async () => {
    const page = await browser.open(app.url, guest(4, "Dev"));
    const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim());
    await page.getByLabel("Name of a room, old or new").waitFor();
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("To the content");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    await page.keyboard.type("keys only");
    await page.keyboard.press("Enter");
    await field(page).waitFor();
    await field(page).focus();
    await page.keyboard.type("without a mouse");
    await page.keyboard.press("Enter");
    await page.getByRole("article").getByText("without a mouse").waitFor();
    // What was said can be scrolled by keys, too.
    await page.keyboard.press("Shift+Tab");
    await page.getByRole("button", { name: "Share" }).focus();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "Share this room" });
    expect(await dialog.getByRole("textbox").inputValue()).toBe(`${app.url}/rooms/keys%20only`);
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toBe(
      "Share",
    );
    await browser.leave(page);
  });

  test("all of a long history can be read, and what is new does not move it", async () => {
    const client = connectChat({ url: app.wsUrl, userId: 7, name: "Esha" });
    const room = client.join("long", {});
    for (let first = 1; first <= MESSAGES; first += 500) {
      const some = Array.from({ length: 500 }, (_, at) => room.say(`message ${first + at}.`));
      await Promise.all(some);
    }
    const page = await browser.open(`${app.url}/rooms/long`, guest(5, "Farid"));
    await page.getByText(`message ${MESSAGES}.`).waitFor();
    const stream = page.getByRole("region", { name: "What was said" });
    await stream.evaluate(async (element) => {
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
      while (!element.textContent?.includes("message 1.")) {
        element.scrollTop = 0;
        await frame();
      }
    });
    const numbers = await stream.evaluate((element) =>
      [...element.querySelectorAll(".words")].map(({ textContent }) => textContent),
    );
    expect(numbers).toEqual(Array.from({ length: MESSAGES }, (_, at) => `message ${at + 1}.`));
    await room.say("said meanwhile");
    await page.getByRole("button", { name: "1 new below" }).click();
    await page.getByRole("article").getByText("said meanwhile").waitFor();
    expect(await page.getByRole("button", { name: /below/ }).count()).toBe(0);
    client.close();
    await browser.leave(page);
  });
});
