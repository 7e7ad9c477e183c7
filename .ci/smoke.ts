import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { hasBrowser, startBrowser } from "../tests/support/browser.ts";
import { type Listening, whenListening } from "../tests/support/server.ts";
import { recording } from "../tests/support/sound.ts";
import { expectEqual, expectKept, tellStory } from "./story.ts";

// A built binary alone in an empty folder, with an empty environment: it starts, lives through all that
// Earshot is for, stops, and starts again with what it kept. `bun .ci/smoke.ts [FILE]`

const binary = resolve(process.argv[2] ?? "dist/earshot");
const folder = mkdtempSync(join(tmpdir(), "earshot-smoke-"));
const home = join(folder, "home");
const elsewhere = join(folder, "elsewhere");
mkdirSync(home);
mkdirSync(elsewhere);
copyFileSync(binary, join(home, "earshot"));
const started: Listening[] = [];
const browser = hasBrowser ? await startBrowser() : null;

try {
  const first = await start({ PORT: "0" });
  await expectDoors(first.server.url);
  const story = await tellStory(first.server, "first", browser);
  await expectKept(first.server, story);
  await stop(first.server);

  // Other places that a program may write to stay empty.
  const second = await start({ PORT: "0", HOME: elsewhere, TMPDIR: elsewhere });
  await expectKept(second.server, story);
  await tellStory(second.server, "second", null);
  await stop(second.server);
  expectEqual(readdirSync(elsewhere), []);

  await Bun.write(join(home, "sound.wav"), recording());
  expectEqual(
    (await run("transcribe", "sound.wav")).split("\n").at(-1),
    "cyril one eight zero three",
  );

  if (browser === null) console.log("smoke: there is no Chromium here, so no page was opened");
  const size = Math.round(Bun.file(binary).size / 1e6);
  console.log(`smoke: ${size} MB; first start: ${first.told}; second start: ${second.told}`);
} finally {
  await browser?.close();
  for (const server of started) await server.end();
  rmSync(folder, { recursive: true, force: true });
}

/** Starts the server; tells how long it took until it was alive, and until it could hear. */
async function start(env: Record<string, string>): Promise<{ server: Listening; told: string }> {
  const begin = performance.now();
  const server = await whenListening(
    Bun.spawn([join(home, "earshot"), "serve"], {
      cwd: home,
      env,
      stdin: new Blob([]),
      stdout: "pipe",
      stderr: "pipe",
    }),
  );
  started.push(server);
  const answersAfter = async (path: string): Promise<string> => {
    while (!(await fetch(server.url + path)).ok) await Bun.sleep(2);
    return `${Math.round(performance.now() - begin)} ms`;
  };
  const alive = await answersAfter("/healthz");
  const ready = await answersAfter("/readyz");
  return { server, told: `alive after ${alive}, ready after ${ready}` };
}

async function stop(server: Listening): Promise<void> {
  expectEqual(openElsewhere(server.pid), []);
  server.signal("SIGTERM");
  expectEqual(await server.exited, 0);
  const errors = server.lines.filter((line) => /"level":"(?:warn|error|fatal)"/.test(line));
  expectEqual(errors, []);
}

/** What a process has open for writing that is not its own. */
function openElsewhere(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    const opened = readOpened(pid, fd);
    if (opened === null) return [];
    const { path, info } = opened;
    const flags = /flags:\s+(\d+)/.exec(info)?.[1];
    const isWritten = (Number.parseInt(flags ?? "0", 8) & 3) !== 0;
    const isOwn = path.startsWith(`${home}/`) || !path.startsWith("/") || path === "/dev/null";
    return isWritten && !isOwn ? [path] : [];
  });
}

/** Null for one that was closed since it was listed. */
function readOpened(pid: number, fd: string): { path: string; info: string } | null {
  try {
    return {
      path: readlinkSync(`/proc/${pid}/fd/${fd}`),
      info: readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8"),
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** The doors of the house answer, also those behind which a file of the binary lies. */
async function expectDoors(url: string): Promise<void> {
  expectEqual(await (await fetch(url)).json(), { Hello: "World" });
  const version = (await run("--version")).split(" ")[0];
  const page = await (await fetch(url, { headers: { accept: "text/html" } })).text();
  const script = /src="([^"]+app\.js)"/.exec(page)?.[1];
  for (const path of [`/docs/assets/${version}/ui.js`, "/docs/json", script]) {
    expectEqual((await fetch(`${url}${path}`)).status, 200);
  }
}

/** The first word of standard output of a command that does its work. */
async function run(...args: string[]): Promise<string> {
  const { exitCode, stdout } = Bun.spawnSync([join(home, "earshot"), ...args], {
    cwd: home,
    env: {},
  });
  expectEqual(exitCode, 0);
  return stdout.toString().trim();
}
