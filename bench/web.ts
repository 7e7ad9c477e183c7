import { type Browser, type Page, chromium } from "playwright-core";
import { readConfig } from "../src/config.ts";
import { startApp } from "../src/app.ts";
import { createLog } from "../src/platform/log.ts";
import { built } from "../src/web/built.ts";

// How heavy the web app is, how soon it shows a caption, what an hour of captions costs the page beside
// a bare page that shows the same words, and how a long room scrolls.

const ROOM = "bench";
const HOUR_FINALS = 720;
const PARTIALS_EACH = 10;
const WORDS_EACH = 12;
const FRAMES_PER_S = 200;
const LONG_MESSAGES = 5_000;
const WORDS =
  "the people of this city have asked for a new bridge over the river near the old".split(" ");

const app = await startApp(
  readConfig({
    PORT: "0",
    DATABASE_URL: "sqlite::memory:",
    SPEECH_ENGINE: "none",
    TEXT_WORKERS: "1",
  }),
  createLog("error", () => undefined),
);
const browser = await chromium.launch({
  executablePath: Bun.which("chromium") ?? "chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
});

const weights = Object.entries(built.files).map(([name, text]) => ({
  file: name,
  bytes: text.length,
  gzip: Bun.gzipSync(Buffer.from(text), { level: 9 }).length,
}));
console.table(weights);
console.log(`compressed in all: ${weights.reduce((sum, { gzip }) => sum + gzip, 0)} bytes`);

const BARE = `<!doctype html><body><script type="module">
  const socket = new WebSocket(location.origin.replace("http", "ws") + "/v1/ws/chat", ["earshot.v1"]);
  const interim = document.body.appendChild(document.createElement("p"));
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    if (frame.type === "welcome") socket.send(JSON.stringify({ type: "join", room: "${ROOM}", ref: "join 1" }));
    if (frame.type === "caption") interim.textContent = frame.text;
    if (frame.type === "message") {
      const line = document.createElement("p");
      line.textContent = frame.text;
      interim.before(line);
      interim.textContent = "";
      scrollTo(0, document.body.scrollHeight);
    }
  };
</script>`;

/** Serves the app's files, and speaks in its place on the chat socket. */
function startSpeaker(messages: number) {
  const user = { id: 2, name: "Asha" };
  let offset = 0;
  const message = (text: string, kind: string, clientId: string) => ({
    type: "message",
    room: ROOM,
    epoch: "e",
    offset: ++offset,
    id: offset,
    client_id: clientId,
    user,
    kind,
    text,
    at: Date.now(),
  });
  const joined = Promise.withResolvers<Bun.ServerWebSocket<unknown>>();
  const server = Bun.serve({
    port: 0,
    fetch: (request, server) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/bare")
        return new Response(BARE, { headers: { "content-type": "text/html" } });
      if (pathname === "/v1/ws/chat") {
        return server.upgrade(request, { headers: { "sec-websocket-protocol": "earshot.v1" } })
          ? undefined
          : new Response(null, { status: 400 });
      }
      return fetch(new URL(pathname, app.url), {
        headers: { accept: request.headers.get("accept") ?? "" },
        decompress: false,
      });
    },
    websocket: {
      open: (socket) =>
        void socket.send(
          JSON.stringify({
            type: "welcome",
            session_id: "s",
            user: { id: 1, name: "Ben" },
            limits: {},
          }),
        ),
      message: (socket, text) => {
        const frame = JSON.parse(String(text)) as { type: string; ref?: string };
        if (frame.type !== "join") return;
        const first = Array.from({ length: messages }, (_, at) =>
          message(`${sentence(at)}.`, "text", `m${at}`),
        );
        socket.send(
          JSON.stringify({
            type: "joined",
            room: ROOM,
            epoch: "e",
            offset,
            recovered: false,
            more: false,
            messages: first,
            members: [user],
            read: 0,
            ref: frame.ref,
          }),
        );
        joined.resolve(socket);
      },
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    joined: joined.promise,
    message,
    stop: () => server.stop(true),
  };
}

function sentence(seed: number): string {
  return Array.from(
    { length: WORDS_EACH },
    (_, at) => WORDS[(seed * 7 + at * 3) % WORDS.length],
  ).join(" ");
}

/** Reads how long a page has been busy since this was called, and what its scripts hold. */
async function watch(page: Page): Promise<() => Promise<{ busyMs: number; heapMb: number }>> {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  return async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    const value = (name: string): number => metrics.find((one) => one.name === name)?.value ?? 0;
    return { busyMs: value("TaskDuration") * 1_000, heapMb: value("JSHeapUsedSize") / 1e6 };
  };
}

/** From asking for the page to its first caption, while somebody speaks all the time. */
async function firstCaption(browser: Browser): Promise<number> {
  const speaker = startSpeaker(20);
  const page = await (await browser.newContext()).newPage();
  const startedAt = performance.now();
  const opening = page.goto(`${speaker.url}/rooms/${ROOM}`, { waitUntil: "commit" });
  const socket = await speaker.joined;
  socket.send(
    JSON.stringify({
      type: "caption",
      room: ROOM,
      user: { id: 2, name: "Asha" },
      segment_id: "s",
      text: "first words",
    }),
  );
  await opening;
  await page.getByText("first words").waitFor();
  const ms = performance.now() - startedAt;
  await page.context().close();
  await speaker.stop();
  return ms;
}

/** What an hour of captions costs a page, told at many times the speed of speech. */
async function anHour(browser: Browser, path: string): Promise<object> {
  const speaker = startSpeaker(0);
  const page = await (await browser.newContext()).newPage();
  await page.goto(speaker.url + path);
  const socket = await speaker.joined;
  await Bun.sleep(500);
  const read = await watch(page);
  const before = await read();
  for (let final = 0; final < HOUR_FINALS; final++) {
    const words = sentence(final).split(" ");
    for (let partial = 1; partial <= PARTIALS_EACH; partial++) {
      const text = words.slice(0, Math.ceil((words.length * partial) / PARTIALS_EACH)).join(" ");
      socket.send(
        JSON.stringify({
          type: "caption",
          room: ROOM,
          user: { id: 2, name: "Asha" },
          segment_id: `s${final}`,
          text,
        }),
      );
      await Bun.sleep(1_000 / FRAMES_PER_S);
    }
    socket.send(
      JSON.stringify(speaker.message(`${words.join(" ")} ${final}`, "caption", `s${final}`)),
    );
  }
  await page.waitForFunction(
    (last) => document.body.innerText.includes(last),
    ` ${HOUR_FINALS - 1}`,
  );
  const after = await read();
  await page.context().close();
  await speaker.stop();
  const busyS = (after.busyMs - before.busyMs) / 1_000;
  return {
    page: path,
    "busy s an hour": busyS.toFixed(1),
    "of a core": `${((busyS / 3_600) * 100).toFixed(2)} %`,
    "heap MB": after.heapMb.toFixed(1),
  };
}

/** How long frames take while five thousand messages are scrolled from the newest to the oldest. */
async function scrolling(browser: Browser): Promise<object> {
  const speaker = startSpeaker(LONG_MESSAGES);
  const page = await (await browser.newContext()).newPage();
  const startedAt = performance.now();
  await page.goto(`${speaker.url}/rooms/${ROOM}`);
  await page.getByRole("article").last().waitFor();
  const shownMs = performance.now() - startedAt;
  const frames = await page
    .getByRole("region", { name: "What was said" })
    .evaluate(async (element) => {
      const times: number[] = [];
      let last = performance.now();
      while (element.scrollTop > 0) {
        element.scrollTop -= 800;
        await new Promise(globalThis.requestAnimationFrame);
        times.push(performance.now() - last);
        last = performance.now();
      }
      return times;
    });
  await page.context().close();
  await speaker.stop();
  const sorted = frames.sort((a, b) => a - b);
  const at = (share: number): string =>
    `${(sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1)} ms`;
  return {
    "shown after": `${shownMs.toFixed(0)} ms`,
    frames: sorted.length,
    p50: at(0.5),
    p99: at(0.99),
    longest: at(0.9999),
  };
}

const firsts: number[] = [];
for (let run = 0; run < 6; run++) firsts.push(await firstCaption(browser));
console.log(
  `page asked for to first caption: first ${firsts[0]?.toFixed(0)} ms, then median ${firsts
    .slice(1)
    .sort((a, b) => a - b)[2]
    ?.toFixed(0)} ms`,
);
console.table([await scrolling(browser)]);
console.table([await anHour(browser, "/bare"), await anHour(browser, `/rooms/${ROOM}`)]);
await browser.close();
await app.stop();
