import { join } from "node:path";
import {
  end,
  lines,
  listeningAt,
  rssMb,
  cpuSeconds,
  spawn,
  spawnEarshot,
  withFolder,
} from "./servers.ts";
import { type Seen, conversation, quantile, speak } from "./speakers.ts";

// Captions with the bundled recogniser: CPU per second of sound beside a bare loop of the same
// library, then 1, 2, 4 and 8 people who speak at once, then ever more until the door closes.
//
//   bun captions.ts [FOLDER with 16 kHz WAV files]

const FOLDER = process.argv[2] ?? join(import.meta.dir, "../../shared/audio");
const COST_SECONDS = 120;
const SPEAK_MS = 20_000;
const ENDPOINTING_MS = 400;
const PING_EVERY_MS = 5;
const SPEAKERS_MAX = 60;
const ARRIVE_EVERY_MS = 1_000;
const AFTER_MS = 10_000;

const sound = conversation(FOLDER);

await withFolder(async (folder) => {
  const bare = spawn([process.execPath, "bare-vosk.ts", FOLDER, String(COST_SECONDS)]);
  let peer = { msPerSecond: 0, words: 0 };
  for await (const line of lines(bare.stdout)) peer = JSON.parse(line) as typeof peer;

  const server = spawnEarshot(folder, { SPEECH_ENGINE: "vosk" });
  try {
    const url = await listeningAt(server);
    await readiness(url);
    const before = cpuSeconds([server]);
    const told = await pour(url, COST_SECONDS);
    const cost = ((cpuSeconds([server]) - before) * 1000) / COST_SECONDS;
    console.log("| | CPU ms per second of sound | × bare | words |");
    console.log("|---|--:|--:|--:|");
    console.log(`| bare libvosk | ${peer.msPerSecond.toFixed(1)} | 1.00 | ${peer.words} |`);
    console.log(
      `| Earshot | ${cost.toFixed(1)} | ${(cost / peer.msPerSecond).toFixed(2)} | ${told} |\n`,
    );

    console.log(
      "| speakers | partial p50/p99 ms | end of utterance beyond the silence p50/p99 ms | main loop gap ms | MB each |",
    );
    console.log("|--:|--:|--:|--:|--:|");
    for (const count of [1, 2, 4, 8]) {
      const idleMb = rssMb(server);
      const watch = watchLoop(url);
      const speaking = Array.from({ length: count }, (_, at) => talk(url, at));
      await Bun.sleep(SPEAK_MS * 0.9);
      const busyMb = rssMb(server);
      const seen = await Promise.all(speaking);
      const gap = await watch();
      console.log(
        `| ${count} | ${figures(seen, "partialMs")} | ${figures(seen, "endMs")} | ${gap.toFixed(0)} | ${((busyMb - idleMb) / count).toFixed(1)} |`,
      );
    }

    const speaking: Promise<Seen>[] = [];
    let refused: Seen | null = null;
    while (refused === null && speaking.length < SPEAKERS_MAX) {
      const left = SPEAKERS_MAX * ARRIVE_EVERY_MS;
      const one = talk(url, speaking.length, Math.min(left, SPEAK_MS + AFTER_MS));
      refused = await Promise.race([
        one.then((seen) => (seen.refused === null ? null : seen)),
        Bun.sleep(ARRIVE_EVERY_MS).then(() => null),
      ]);
      if (refused === null) speaking.push(one);
    }
    const inside = await Promise.all(speaking);
    console.log(
      `\nadmission closed after ${speaking.length} speakers (come back in ${refused?.refused ?? 0} ms); ` +
        `those inside: partial p50/p99 ${figures(inside, "partialMs")} ms, ` +
        `end of utterance ${figures(inside, "endMs")} ms`,
    );
  } finally {
    await end([server]);
  }
});
process.exit(0);

function talk(url: string, index: number, forMs = SPEAK_MS): Promise<Seen> {
  return speak({ url, sound, fromMs: index * 7_300, forMs, endpointingMs: ENDPOINTING_MS });
}

function figures(seen: readonly Seen[], which: "partialMs" | "endMs"): string {
  const all = seen.flatMap((one) => one[which]);
  return `${quantile(all, 0.5).toFixed(0)} / ${quantile(all, 0.99).toFixed(0)}`;
}

async function readiness(url: string): Promise<void> {
  const http = url.replace("ws:", "http:");
  while (!(await fetch(`${http}/readyz`)).ok) await Bun.sleep(50);
}

/** Sends that much sound as fast as it is taken; returns how many words came. */
function pour(url: string, seconds: number): Promise<number> {
  const socket = new WebSocket(`${url}/v1/ws/transcription`);
  const bytes = seconds * 32_000;
  let sent = 0;
  let words = 0;
  const feed = (doneMs: number): void => {
    while (sent < bytes && sent / 32 < doneMs + 40_000) {
      const at = sent % sound.length;
      socket.send(sound.slice(at, Math.min(at + 32_000, at + bytes - sent)));
      sent += Math.min(32_000, sound.length - at, bytes - sent);
    }
    if (sent >= bytes) {
      sent = Number.POSITIVE_INFINITY;
      socket.send(JSON.stringify({ type: "stop" }));
    }
  };
  return new Promise((resolve) => {
    socket.onopen = () => socket.send(JSON.stringify({ type: "start", language: "en" }));
    socket.onclose = () => resolve(words);
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(String(data)) as { type: string; processed_ms: number; words: [] };
      if (frame.type === "ready") feed(0);
      if (frame.type === "audio_ack" && Number.isFinite(sent)) feed(frame.processed_ms);
      if (frame.type === "final") words += frame.words.length;
    };
  });
}

/** How long the server has not answered a ping at most; ends with the call. */
function watchLoop(url: string): () => Promise<number> {
  const socket = new WebSocket(`${url}/v1/ws/chat`);
  let longest = 0;
  let askedAt = 0;
  let isOver = false;
  const over = Promise.withResolvers<number>();
  const ask = (): void => {
    if (isOver) {
      socket.close();
      return over.resolve(longest);
    }
    askedAt = performance.now();
    socket.send('{"type":"ping"}');
  };
  socket.onmessage = ({ data }) => {
    if (String(data).startsWith('{"type":"welcome"')) return ask();
    longest = Math.max(longest, performance.now() - askedAt);
    setTimeout(ask, PING_EVERY_MS);
  };
  return () => {
    isOver = true;
    return over.promise;
  };
}
