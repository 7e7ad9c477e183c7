import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { type TestBrowser, hasBrowser, startBrowser } from "../support/browser.ts";
import { type TestServer, startTestServer } from "../support/server.ts";
import { hasVosk, recording } from "../support/sound.ts";
import { temporaryFolder } from "../support/app.ts";

const field = (page: Page) => page.getByLabel("Message", { exact: true });

const captionsOf = (page: Page): Promise<string> =>
  page
    .locator(".said.caption:not(.interim) .words")
    .allTextContents()
    .then((texts) => texts.join(" "));

describe.skipIf(!hasBrowser || !hasVosk)(
  "a microphone in the browser (needs chromium and the recogniser)",
  () => {
    let server: TestServer;
    let browser: TestBrowser;
    const folder = temporaryFolder();
    const settings = { SPEECH_ENGINE: "vosk" };

    beforeAll(async () => {
      const sound = join(folder, "microphone.wav");
      writeFileSync(sound, recording());
      [server, browser] = await Promise.all([
        startTestServer(settings, folder),
        startBrowser({ sound }),
      ]);
    });
    afterAll(async () => {
      await browser.close();
      await server.dispose();
    });

    test("its words reach another page, over a restart of the server, and what was typed meanwhile", async () => {
      const listener = await browser.open(`${server.url}/rooms/digits`);
      const speaker = await browser.open(`${server.url}/rooms/digits`);
      await listener.getByText("2 here").waitFor();
      await speaker.getByRole("button", { name: "Speak" }).click();
      await listener.getByText("speaking").waitFor();

      const port = new URL(server.url).port;
      server.signal("SIGTERM");
      await server.exited;
      await listener.getByText("The line is down").waitFor();
      await field(listener).fill("typed while nobody was there");
      await listener.keyboard.press("Enter");
      await listener.getByText("sending").waitFor();
      server = await startTestServer({ ...settings, PORT: port }, folder);

      await speaker.getByRole("article").getByText("typed while nobody was there").waitFor();
      await listener.getByText("The line is down").waitFor({ state: "detached" });
      // The recording says 1 0 0 0 1 9 0 2 1 0 0 1 8 0 3.
      await listener
        .getByRole("article")
        .getByText(/three$/)
        .waitFor();
      await speaker.getByRole("button", { name: "Stop speaking" }).click();
      await speaker.getByRole("button", { name: "Speak", exact: true }).waitFor();
      const heard = await captionsOf(listener);
      expect(heard).toContain("one");
      expect(await captionsOf(speaker)).toBe(heard);
    });
  },
);
