import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, type Page, chromium } from "playwright-core";

const EXECUTABLE =
  Bun.which("chromium-headless-shell") ??
  Bun.which("chromium") ??
  Bun.which("google-chrome") ??
  Bun.which("chrome");

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
  // No process is kept ready for a page that may never be opened.
  "--renderer-process-limit=1",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];

type AxeResults = Awaited<ReturnType<AxeBuilder["analyze"]>>;

const DESKTOP = { width: 1200, height: 800 };
const PHONE = { width: 390, height: 780 };

/** Of the app's origin, and without any script. */
const EMPTY_PATH = "/assets/none/none";
/** Rules that may find something else in the dark than in the light. */
const COLOUR_RULES = ["color-contrast", "link-in-text-block"];
/** Rules that may find something else where there is less room, and other parts are shown. */
const LAYOUT_RULES = [
  ...COLOUR_RULES,
  "aria-hidden-focus",
  "button-name",
  "heading-order",
  "label",
  "link-name",
  "nested-interactive",
  "scrollable-region-focusable",
  "target-size",
];

export interface PageOptions {
  phone?: boolean;
  /** What the visitor's browser has kept. */
  kept?: Record<string, string>;
}

export interface TestBrowser {
  /** A page of a visitor of its own, who has kept nothing else. */
  open(url: string, options?: PageOptions): Promise<Page>;
  /**
   * The visitor is gone, with all its pages. What is left is cleaned for the next one, which is much
   * cheaper than a new one; a page with scripts of the test's own inside is closed instead.
   */
  leave(page: Page): Promise<void>;
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
  const phones = new WeakSet<Page>();
  const idle: Page[] = [];

  const create = async (phone: boolean): Promise<Page> => {
    const context = await browser.newContext({
      viewport: phone ? PHONE : DESKTOP,
      colorScheme: "light",
      hasTouch: phone,
      isMobile: phone,
      locale: "en-GB",
      timezoneId: "UTC",
    });
    const page = await context.newPage();
    if (phone) phones.add(page);
    page.setDefaultTimeout(10_000);
    page.on("pageerror", ({ message }) => complaints.push(message));
    page.on("console", (message) => {
      // A request that failed is told by the app itself.
      const text = message.text();
      if (message.type() === "error" && !text.startsWith("Failed to load resource"))
        complaints.push(text);
    });
    return page;
  };

  return {
    open: async (url, { phone = false, kept = {} } = {}) => {
      const at = idle.findIndex((page) => phones.has(page) === phone);
      const [page = await create(phone)] = at === -1 ? [] : idle.splice(at, 1);
      const entries = Object.entries(kept);
      if (at !== -1 || entries.length > 0) {
        const { href } = new URL(EMPTY_PATH, url);
        if (page.url() !== href) await page.goto(href);
        await page.evaluate((given) => {
          localStorage.clear();
          sessionStorage.clear();
          for (const [key, value] of given) localStorage.setItem(key, value);
        }, entries);
      }
      await page.goto(url);
      return page;
    },
    leave: async (page) => {
      const others = page.context().pages();
      await Promise.all(others.map(async (other) => other !== page && other.close()));
      await page.unrouteAll();
      // In the same process: a new one for the next visitor would cost more than all it does.
      await page.goto(new URL(EMPTY_PATH, page.url()).href);
      idle.push(page);
    },
    complaints,
    close: () => browser.close(),
  };
}

/** What a checker of accessibility finds wrong with a page: in the light, in the dark, on a phone. */
export async function violationsOf(page: Page): Promise<string[]> {
  const size = page.viewportSize() ?? DESKTOP;
  // There are no frames; without them one run needs no page of its own to gather results.
  // What passed is not told: that takes as long as the looking.
  const builder = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ["violations"] });
  const { violations } = await builder.analyze();
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await lookAgain(page, COLOUR_RULES);
  await page.setViewportSize(PHONE);
  const phone = await lookAgain(page, LAYOUT_RULES);
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(size);
  const found = [...violations, ...dark, ...phone];
  return [...new Set(found.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`)))];
}

type Violation = Pick<AxeResults["violations"][number], "id" | "nodes">;

/** Runs some of the rules with the checker that is in the page already. */
function lookAgain(page: Page, rules: readonly string[]): Promise<Violation[]> {
  return page.evaluate(async (values) => {
    const { axe } = globalThis as unknown as {
      axe: { run(within: unknown, options: object): Promise<{ violations: Violation[] }> };
    };
    const { document } = globalThis as unknown as { document: unknown };
    const options = { resultTypes: ["violations"], runOnly: { type: "rule", values } };
    return (await axe.run(document, options)).violations.map(({ id, nodes }) => ({ id, nodes }));
  }, rules);
}
