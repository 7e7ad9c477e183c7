import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { BrowserContext, Page } from "playwright-core";
import { PASSWORD, addAccount, login } from "../support/accounts.ts";
import { type TestApp, startTestApp } from "../support/app.ts";
import {
  type PageOptions,
  type TestBrowser,
  hasBrowser,
  startBrowser,
  violationsOf,
} from "../support/browser.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const KEPT = "earshot.signed-in";

describe.skipIf(!hasBrowser)("accounts in the browser (needs chromium)", () => {
  let app: TestApp;
  let browser: TestBrowser;
  let asha: number;

  beforeAll(async () => {
    const settings = { AUTH: "required", JWT_SECRET: SECRET, RATE_LIMITS: "off" };
    [app, browser] = await Promise.all([startTestApp(settings), startBrowser()]);
    asha = await addAccount(app, "Asha", "admin");
    await addAccount(app, "Ben");
  });
  afterAll(async () => {
    await browser.close();
    await app.stop();
    expect(browser.complaints).toEqual([]);
  });

  /** A visitor who signed in here before; answers what the browser kept of it. */
  const keptOf = async (name: string, role: "user" | "admin") => {
    const tokens = await login(app, name);
    const answer = await fetch(`${app.url}/v1/auth/me`, { headers: tokens.headers });
    const person = { ...((await answer.json()) as { id: number; name: string }), role };
    const lifeMs = tokens.expires_in * 1_000;
    return {
      person,
      tokens: {
        access: tokens.access_token,
        refresh: tokens.refresh_token,
        lifeMs,
        expiresAt: Date.now() + lifeMs,
      },
    };
  };
  const openAs = async (
    name: string,
    path: string,
    { role = "user", ...options }: PageOptions & { role?: "user" | "admin" } = {},
  ): Promise<Page> => {
    const kept = { [KEPT]: JSON.stringify(await keptOf(name, role)) };
    return browser.open(app.url + path, { ...options, kept });
  };
  const signIn = async (page: Page, name: string, password = PASSWORD): Promise<void> => {
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("Password", { exact: true }).fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
  };
  const signedOut = (page: Page) => page.getByRole("heading", { name: "Sign in", exact: true });
  const message = (page: Page) => page.getByLabel("Message", { exact: true });
  const keptIn = (page: Page) =>
    page
      .evaluate((key) => localStorage.getItem(key) ?? "", KEPT)
      .then((kept) => JSON.parse(kept) as Awaited<ReturnType<typeof keptOf>>);
  /** The session of this browser among those of the account. */
  const hereIn = (page: Page) => page.getByText("This browser · Signed in");
  const another = (page: Page, path: string): Promise<Page> => openIn(page.context(), path);
  const openIn = async (context: BrowserContext, path: string): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(app.url + path);
    return page;
  };

  test("a room's link asks to sign in, by the keyboard alone, and leads into the room", async () => {
    const page = await browser.open(`${app.url}/rooms/plans`);
    await signedOut(page).waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await page.keyboard.type("Ben");
    await page.keyboard.press("Tab");
    await page.keyboard.type("not it");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("The name or the password is wrong").waitFor();
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "plans" }).waitFor();
    await message(page).waitFor();

    // What one page does, all pages of the browser do.
    const second = await another(page, "/account");
    await second.getByRole("button", { name: "Sign out", exact: true }).click();
    await signedOut(second).waitFor();
    await signedOut(page).waitFor();
    expect(new URL(page.url()).pathname).toBe("/rooms/plans");
    // Whoever comes next does not see where one has been.
    const rooms = await page.evaluate(() => localStorage.getItem("earshot.last-rooms"));
    expect(rooms).toBeNull();
    await signIn(page, "Ben");
    await message(page).waitFor();
    await second.getByRole("heading", { name: "Ben" }).waitFor();
    await browser.leave(page);
  });

  test("an account is made, by rules that are told before, and gets another name", async () => {
    const page = await browser.open(`${app.url}/account`);
    await page.getByRole("button", { name: "Make an account" }).click();
    await page.getByText("At least 8 characters").waitFor();
    await page.getByLabel("Name").fill("ben");
    await page.getByLabel("Password", { exact: true }).fill("long enough");
    await page.getByRole("button", { name: "Make the account" }).click();
    await page.getByRole("alert").getByText("There is an account of that name").waitFor();
    await page.getByLabel("Name").fill("Chitra");
    await page.getByRole("button", { name: "Make the account" }).click();
    await page.getByRole("heading", { name: "Chitra" }).waitFor();

    await page.getByLabel("Your name").fill("Chitra K");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("From now on this is your name").waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "Chitra K" }).waitFor();

    const taking = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download everything" }).click();
    const file = await Bun.file(await (await taking).path()).json();
    expect(file).toMatchObject({ account: { name: "Chitra K" } });

    await page.getByRole("button", { name: "Erase the account" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Password", { exact: true }).fill("not it at all");
    await dialog.getByRole("button", { name: "Erase everything" }).click();
    await dialog.getByText("The password is wrong").waitFor();
    await dialog.getByLabel("Password", { exact: true }).fill("long enough");
    await dialog.getByRole("button", { name: "Erase everything" }).click();
    await signedOut(page).waitFor();
    await browser.leave(page);
  });

  test("sessions elsewhere are seen and ended, and a new password ends the rest", async () => {
    await addAccount(app, "Devi");
    const away = await login(app, "Devi");
    const page = await openAs("Devi", "/account");
    await hereIn(page).waitFor();
    await page.getByRole("listitem").getByRole("button", { name: "Sign out" }).click();
    await page.getByText("is signed out.").waitFor();
    const refused = await fetch(`${app.url}/v1/auth/me`, { headers: away.headers });
    expect(refused.status).toBe(401);

    await page.getByLabel("Password until now", { exact: true }).fill(PASSWORD);
    await page.getByLabel("New password", { exact: true }).fill("battery staple");
    await page.getByRole("button", { name: "Change the password" }).click();
    await page.getByText("The password is changed").waitFor();
    await login(app, "Devi", "battery staple");
    await browser.leave(page);
  });

  test("a session that ends meanwhile asks to sign in again and loses nothing", async () => {
    const page = await openAs("Ben", "/rooms/drafts");
    await page.getByText("1 here").waitFor();
    await message(page).fill("half a thought");
    const { tokens } = await keptIn(page);
    const headers = { authorization: `Bearer ${tokens.access}` };
    await fetch(`${app.url}/v1/auth/sessions`, { method: "DELETE", headers });
    const dialog = page.getByRole("dialog", { name: "Sign in again" });
    await dialog.waitFor();
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press("Enter");
    await dialog.waitFor({ state: "detached" });
    expect(await message(page).inputValue()).toBe("half a thought");
    await message(page).press("Enter");
    await page.getByRole("article").getByText("half a thought").waitFor();

    // Nor does a page that is loaded anew.
    await message(page).fill("the other half");
    await page.reload();
    expect(await message(page).inputValue()).toBe("the other half");
    await browser.leave(page);
  });

  test.each([
    ["by the browser's locks", () => undefined],
    // As on pages that came over plain http from another machine.
    ["without locks", () => Reflect.deleteProperty(Navigator.prototype, "locks")],
  ])("an expired token is renewed without a word, once for all pages: %s", async (_, prepare) => {
    const page = await openAs("Ben", "/account");
    await page.context().addInitScript(prepare);
    await hereIn(page).waitFor();
    const kept = await keptIn(page);
    const spoilt = { ...kept, tokens: { ...kept.tokens, access: "spoilt" } };
    const refreshed: string[] = [];
    page.context().on("request", (request) => {
      if (request.url().endsWith("/refresh")) refreshed.push(request.url());
    });
    await page.evaluate(([key, value]) => localStorage.setItem(key, value), [
      KEPT,
      JSON.stringify(spoilt),
    ] as const);
    const pages = await Promise.all([another(page, "/account"), another(page, "/rooms/renewed")]);
    await hereIn(pages[0]).waitFor();
    await pages[1].getByText("1 here").waitFor();
    await page.reload();
    await hereIn(page).waitFor();
    expect(refreshed).toHaveLength(1);
    expect((await keptIn(page)).tokens.refresh).not.toBe(kept.tokens.refresh);
    await page.context().close();
  });

  test("what is spoilt in the browser's storage, or cannot be kept there, keeps nobody out", async () => {
    const page = await browser.open(`${app.url}/rooms/plans`, {
      kept: { [KEPT]: '{"person":', "earshot.last-rooms": "{}", "earshot.theme": "?" },
    });
    await signedOut(page).waitFor();
    await page.addInitScript(() => {
      Storage.prototype.setItem = () => {
        throw new DOMException("full", "QuotaExceededError");
      };
      Storage.prototype.getItem = () => {
        throw new DOMException("refused", "SecurityError");
      };
    });
    await page.reload();
    await signIn(page, "Ben");
    await message(page).fill("kept for as long as this page is open");
    await message(page).press("Enter");
    await page.getByRole("article").getByText("kept for as long").waitFor();
    await page.context().close();
  });

  test("the account leads admins to keys, which are made, shown once and revoked", async () => {
    const page = await openAs("Asha", "/account", { role: "admin" });
    await hereIn(page).waitFor();
    expect(await page.locator("b.number").textContent()).toBe(String(asha));
    expect(await violationsOf(page)).toEqual([]);
    await page.getByRole("link", { name: "Keys for programs" }).click();
    await page.getByText("Make the key").waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await page.getByLabel("What it is for").fill("news feed");
    await page.getByLabel("Sound").uncheck();
    await page.keyboard.press("Tab");
    await page.getByRole("button", { name: "Make the key" }).click();
    const key = await page.getByLabel("The key for news feed").inputValue();
    expect(key).toStartWith("ek_");
    await page.getByRole("button", { name: "I have it" }).click();
    await page.getByText("never used").waitFor();
    expect(await page.content()).not.toContain(key);
    await page.getByRole("button", { name: "Revoke news feed" }).click();
    await page.getByRole("button", { name: "Revoke it for good" }).click();
    await page.getByText("news feed opens nothing any more").waitFor();
    await browser.leave(page);

    const other = await openAs("Ben", "/account/keys");
    await other.getByText("Only admins make and see them").waitFor();
    await browser.leave(other);
  });

  test("the owner lets somebody into a private room and out again", async () => {
    const owner = await openAs("Ben", "/");
    await owner.getByLabel("Name of a room").fill("board");
    await owner.getByRole("checkbox").check();
    await owner.getByRole("button", { name: "Enter" }).click();
    await owner.getByRole("button", { name: "1 here" }).click();
    await addAccount(app, "Esha");
    const guest = await openAs("Esha", "/rooms/board");
    await guest.getByText("This room is private").waitFor();
    await guest.goto(`${app.url}/account`);
    const number = await guest.locator("b.number").textContent();
    await owner.getByLabel("Somebody’s number").fill(number ?? "");
    await owner.getByRole("button", { name: "Let in" }).click();
    await owner.getByText(`Number ${number} may come in now`).waitFor();
    expect(await violationsOf(owner)).toEqual([]);
    await guest.goto(`${app.url}/rooms/board`);
    await guest.getByText("2 here").waitFor();
    await owner.getByRole("button", { name: "Send out Esha" }).click();
    await owner.getByText("Esha cannot come in any more").waitFor();
    await guest.getByRole("link", { name: "All rooms" }).waitFor();
    await browser.leave(owner);

    // An open room has no such list, and rooms one was in come first.
    await guest.goto(`${app.url}/rooms/forum`);
    await guest.getByRole("button", { name: "1 here" }).click();
    await guest.getByRole("dialog").waitFor();
    expect(await guest.getByLabel("Somebody’s number").count()).toBe(0);
    await guest.goto(app.url);
    await guest.getByRole("listitem").filter({ hasText: "you were here" }).first().waitFor();
    expect(await guest.getByRole("listitem").first().textContent()).toStartWith("forum");
    await browser.leave(guest);
  });
});
