import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, type Page, chromium } from "playwright-core";

const EXECUTABLE = Bun.which("chromium") ?? Bun.which("google-chrome") ?? Bun.which("chrome");

/** Whether this machine can run the tests that need a browser. */
export const hasBrowser = EXECUTABLE !== null;

/** It works offline: nothing is fetched, looked up or reported. */
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];

const DESKTOP = { width: 1200, height: 800 };
const PHONE = { width: 390, height: 780 };

export interface PageOptions {
  phone?: boolean;
  /** Set before the page's own scripts run, as what a browser has kept. */
  kept?: Record<string, string>;
}

export interface TestBrowser {
  /** A page of a visitor of its own, who has kept nothing. */
  open(url: string, options?: PageOptions): Promise<Page>;
  /** What pages complained of so far: errors in scripts, and what the content policy refused. */
  complaints: string[];
  close(): Promise<void>;
}

/** A real Chromium; `sound` is a WAV file that it takes for its microphone, once. */
export async function startBrowser({ sound }: { sound?: string } = {}): Promise<TestBrowser> {
  if (EXECUTABLE === null) throw new Error("there is no Chromium on this machine");
  const browser: Browser = await chromium.launch({
    executablePath: EXECUTABLE,
    args:
      sound === undefined
        ? ARGUMENTS
        : [...ARGUMENTS, `--use-file-for-fake-audio-capture=${sound}%noloop`],
  });
  const complaints: string[] = [];
  return {
    open: async (url, { phone = false, kept = {} } = {}) => {
      const context = await browser.newContext({
        viewport: phone ? PHONE : DESKTOP,
        colorScheme: "light",
        hasTouch: phone,
        isMobile: phone,
        locale: "en-GB",
        timezoneId: "UTC",
      });
      await context.addInitScript((entries) => {
        for (const [key, value] of entries) {
          if (localStorage.getItem(key) === null) localStorage.setItem(key, value);
        }
      }, Object.entries(kept));
      const page = await context.newPage();
      page.setDefaultTimeout(10_000);
      page.on("pageerror", ({ message }) => complaints.push(message));
      page.on("console", (message) => {
        // A request that failed is told by the app itself.
        const text = message.text();
        if (message.type() === "error" && !text.startsWith("Failed to load resource"))
          complaints.push(text);
      });
      await page.goto(url);
      return page;
    },
    complaints,
    close: () => browser.close(),
  };
}

/** What a checker of accessibility finds wrong with a page: in the light, in the dark, on a phone. */
export async function violationsOf(page: Page): Promise<string[]> {
  const found = new Set<string>();
  const look = async (): Promise<void> => {
    const { violations } = await new AxeBuilder({ page }).analyze();
    for (const { id, nodes } of violations)
      for (const { html } of nodes) found.add(`${id}: ${html}`);
  };
  const size = page.viewportSize() ?? DESKTOP;
  await look();
  await page.emulateMedia({ colorScheme: "dark" });
  await look();
  await page.setViewportSize(PHONE);
  await look();
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(size);
  return [...found];
}
