import type { TObject } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { chatClientFrames, chatFrames } from "../../src/features/chat/model.ts";
import {
  OneFrame,
  streamingClientFrames,
  transcriptionFrames,
} from "../../src/features/transcription/model.ts";
import { PROBLEM_CODES, Problem, statusOf } from "../../src/http/problem.ts";
import { commonFrames } from "../../src/realtime/frames.ts";
import { CLOSE, REFUSAL_CODES, Refusal } from "../../src/realtime/refusal.ts";
import { type TestApp, startTestApp, temporaryFolder, until } from "../support/app.ts";
import { type ListeningService, heardBy, startListeningApp } from "../support/listening.ts";
import { type Block, type Table, codesIn, readPage } from "../support/page.ts";
import { type Program, findPython, runProgram, startProgram } from "../support/programs.ts";
import { type TestServer, startTestServer } from "../support/server.ts";
import { type Frame, openSocket } from "../support/socket.ts";
import { hasVosk } from "../support/sound.ts";
import { speech, startStream, wavFile, written } from "../support/speaker.ts";

setDefaultTimeout(120_000);

const ROOT = join(import.meta.dir, "../..");
const EXAMPLES = join(ROOT, "docs/examples");
const page = readPage(join(ROOT, "docs/PROTOCOL.md"));
const python = findPython();

/** Two utterances of the recording; what examples find as `talk.wav`. */
const [FROM_MS, TO_MS] = [1_000, 5_000];
const SOUND = "talk.wav";
/** More than one answer holds, so that clients that come back have to ask for the rest. */
const MISSED_MESSAGES = 510;

let app: TestApp;
let service: ListeningService;
/** Where programs run, and find the recording. */
let folder: string;

beforeAll(async () => {
  folder = temporaryFolder();
  if (hasVosk) writeFileSync(join(folder, SOUND), wavFile(written(speech(FROM_MS, TO_MS))));
  // What is heard is another test's business; without a model to load it takes a tenth of the time.
  ({ app, service } = await startListeningApp());
});
afterAll(async () => {
  await app.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Where the tables of a group of frames stand, and what they are to hold. */
interface Section {
  heading: string;
  schemas: readonly TObject[];
  /** Those among them that clients send. */
  fromClient: readonly TObject[];
}

const SECTIONS: readonly Section[] = [
  {
    heading: "Sockets",
    schemas: Object.values(commonFrames),
    fromClient: [commonFrames.Ping, commonFrames.Authenticate],
  },
  { heading: "Chat", schemas: Object.values(chatFrames), fromClient: chatClientFrames },
  {
    heading: "Captions",
    // The one frame without a type stands beside the table.
    schemas: Object.values(transcriptionFrames).filter((schema) => typeOf(schema) !== undefined),
    fromClient: streamingClientFrames,
  },
];

describe("the tables", () => {
  const tableOf = (first: string, heading?: string): Table => {
    const found = page.tables.find(
      (one) => one.header[0] === first && (heading ?? one.heading) === one.heading,
    );
    if (found === undefined) throw new Error(`there is no table ${first}`);
    return found;
  };
  const firstCodes = ({ rows }: Table): string[] =>
    rows.map(([cell = ""]) => codesIn(cell)[0] ?? cell);

  test("of HTTP codes name every one, with its status", () => {
    const table = tableOf("HTTP code");
    expect(firstCodes(table).sort()).toEqual([...PROBLEM_CODES].sort());
    for (const code of PROBLEM_CODES) {
      const [, status] = table.rows.find(([cell]) => cell === `\`${code}\``) ?? [];
      expect(status).toStartWith(String(statusOf(new Problem(code, ""))));
    }
  });

  test("of socket codes name every one, and whether it passes", () => {
    const table = tableOf("socket code");
    const told = table.rows.map(([code, retryable]) => `${code} ${retryable}`);
    const real = REFUSAL_CODES.map((code) => {
      const { retryable } = new Refusal(code, "").frame();
      return `\`${code}\` ${retryable ? "yes" : "no"}`;
    });
    expect(told.sort()).toEqual(real.sort());
  });

  test("of closes name every one, with codes that there are", () => {
    const { rows } = tableOf("close");
    expect(rows.map(([code]) => code)).toEqual(Object.values(CLOSE).map(String));
    for (const [, codes = ""] of rows)
      expect(REFUSAL_CODES).toEqual(expect.arrayContaining(codesIn(codes)));
  });

  test.each(SECTIONS)("of frames name every one and its fields: $heading", (section) => {
    for (const isClient of [true, false]) {
      const told = tableOf(`${isClient ? "client" : "server"} sends`, section.heading).rows.map(
        ([type = "", fields = ""]) => [codesIn(type)[0], ...codesIn(fields).sort()].join(" "),
      );
      const fromClient = new Set(section.fromClient);
      const real = section.schemas
        .filter((schema) => fromClient.has(schema) === isClient)
        .map((schema) => [typeOf(schema), ...fieldsOf(schema)].join(" "));
      expect(told.sort()).toEqual(real.sort());
    }
  });

  test("speak of limits that sockets tell", async () => {
    const chat = await openSocket(`${app.wsUrl}/v1/ws/chat`);
    const { limits: ofChat } = await chat.next("welcome");
    chat.close();
    const { socket, ready } = await startStream(app);
    socket.send({ type: "stop" });
    await socket.closed;
    const known = { ...(ofChat as object), ...(ready["limits"] as object) };
    const told = [...page.text.matchAll(/`limits\.(\w+)`/g)].map(([, name = ""]) => name);
    expect(told.length).toBeGreaterThan(5);
    for (const name of told) expect(known).toHaveProperty(name);
  });
});

function typeOf({ properties }: TObject): unknown {
  return properties["type"]?.["const"];
}

/** As the tables write them: what may be missing with a question mark. */
function fieldsOf({ properties, required = [] }: TObject): string[] {
  return Object.keys(properties)
    .filter((name) => name !== "type" && name !== "ref")
    .map((name) => (required.includes(name) ? name : `${name}?`))
    .sort();
}

test.each(["README.md", "CHANGELOG.md", ...new Bun.Glob("docs/**/*.md").scanSync(ROOT)])(
  "the links of %s lead to files",
  (path) => {
    const { text } = readPage(join(ROOT, path));
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, link = ""]) => link);
    const broken = links.filter((link) => !existsSync(join(ROOT, dirname(path), link)));
    expect(broken).toEqual([]);
  },
);

describe("the JSON", () => {
  const blocks = page.blocks.filter(({ language }) => /^jsonl?$/.test(language));
  const framesOf = ({ language, code }: Block): Frame[] =>
    (language === "jsonl" ? code.trim().split("\n") : [code]).map(
      (text) => JSON.parse(text) as Frame,
    );

  test.each(blocks)("is as described: line $line, $heading", (block) => {
    const all = [OneFrame, ...SECTIONS.flatMap(({ schemas }) => schemas)];
    for (const frame of framesOf(block)) {
      const fitting = all.filter((schema) => Value.Check(schema, frame));
      expect(fitting.map(typeOf)).toEqual([frame.type]);
    }
  });

  const sockets = blocks.filter(({ note }) => note.startsWith("/"));
  test.each(sockets)("is taken by the socket: line $line, $heading", async (block) => {
    const frames = framesOf(block);
    const socket = await openSocket(`${app.wsUrl}${block.note}?user_id=7`);
    for (const frame of frames) {
      // The page cannot know the number of what is not said yet.
      const { id } = socket.frames.find(({ type }) => type === "sent") ?? {};
      socket.send("id" in frame ? { ...frame, id } : frame);
      socket.send({ type: "ping" });
      await Promise.race([socket.next("pong"), socket.closed]);
    }
    expect(socket.frames.filter(({ type }) => type === "error")).toEqual([]);
    expect(socket.frames.length).toBeGreaterThan(0);
    socket.close();
  });
});

const commandOf: Record<string, ((path: string) => string[]) | null> = {
  js: (path) => [process.execPath, path],
  mjs: (path) => [process.execPath, path],
  python: python === null ? null : (path) => [python, path],
  py: python === null ? null : (path) => [python, path],
};

describe("the programs of the page", () => {
  const programs = page.blocks.filter(({ language }) => language in commandOf);

  for (const { language, code, heading, line } of programs) {
    const command = commandOf[language] ?? null;
    const canRun = command !== null && (hasVosk || !code.includes(SOUND));
    test.skipIf(!canRun)(`run as they stand: line ${line}, ${heading}, ${language}`, async () => {
      const file = join(folder, `line-${line}.${language === "js" ? "mjs" : "py"}`);
      writeFileSync(file, code);
      const run = await runProgram({
        command: command?.(file) ?? [],
        url: app.url,
        cwd: folder,
      });
      expect(run).toMatchObject({ code: 0, err: "" });
      expect(run.out).not.toBe("");
    });
  }
});

describe("the example files", () => {
  const files = [...new Bun.Glob("*.{mjs,py}").scanSync(EXAMPLES)].sort();
  /** A server of its own, which may be killed. */
  let server: TestServer;
  let serverFolder: string;

  beforeAll(async () => {
    serverFolder = temporaryFolder();
    server = await startServer("0");
  });
  afterAll(async () => {
    await server.dispose();
    rmSync(serverFolder, { recursive: true, force: true });
  });

  const startServer = async (port: string): Promise<TestServer> => {
    const started = await startTestServer({ ...heardBy(service), PORT: port }, serverFolder);
    await until(async () => (await fetch(`${started.url}/readyz`)).ok);
    return started;
  };

  const start = (file: string, ...args: string[]): Program => {
    const command = commandOf[file.split(".").at(-1) ?? ""]?.(join(EXAMPLES, file)) ?? [];
    return startProgram({ command: [...command, ...args], url: server.url, cwd: folder });
  };

  /** Says what clients that are away miss, while their server is dead. */
  const sayElsewhere = async (room: string, texts: string[]): Promise<void> => {
    const database = `sqlite:${join(serverFolder, "earshot.db")}`;
    const other = await startTestApp({ DATABASE_URL: database });
    const socket = await openSocket(`${other.wsUrl}/v1/ws/chat?room=${room}&name=Eve`);
    await socket.next("joined");
    for (const text of texts) socket.send({ type: "say", room, client_id: text, text });
    for (const _ of texts) await socket.next("sent");
    await other.stop();
  };

  /** Has the server killed and started again where it was. */
  const replaceServer = async (meanwhile: () => Promise<void>): Promise<void> => {
    const { port } = new URL(server.url);
    await server.dispose();
    await meanwhile();
    server = await startServer(port);
  };

  test("are those that are run here", () => {
    expect(files).toEqual(["chat.mjs", "chat.py", "posts.py", "stream.mjs", "stream.py"]);
  });

  test.skipIf(!hasVosk || python === null)(
    "lose and double nothing when the server dies under them",
    async () => {
      const room = "recovery";
      const chatters = ["chat.mjs", "chat.py"];
      const chats = chatters.map((file) => start(file, room, file));
      const streams = ["stream.mjs", "stream.py"].map((file) => start(file, SOUND));
      writeFileSync(join(folder, "posts.ndjson"), POSTS);
      let posting = start("posts.py", "posts.ndjson");
      const missed = Array.from({ length: MISSED_MESSAGES }, (_, at) => `missed ${at}`);
      const said: string[] = [];
      const sayAll = async (when: string): Promise<void> => {
        for (const [at, chat] of chats.entries()) await chat.type(`${when} ${chatters[at]}`);
        said.push(...chatters.map((file) => `${file} says: ${when} ${file}`));
      };
      const shown = (): Promise<void> =>
        until(() => chats.every((chat) => chat.lines().length >= said.length), 60_000);

      try {
        await sayAll("before");
        await shown();
        await until(() => streams.every((stream) => stream.lines().length > 0), 60_000);
        expect(await posting.end()).toMatchObject({ code: 0, out: "accepted 2, known 0\n" });
        await replaceServer(async () => {
          await sayAll("away");
          posting = start("posts.py", "posts.ndjson");
          await sayElsewhere(room, missed);
        });
        said.push(...missed.map((text) => `Eve says: ${text}`));
        await shown();
        await sayAll("after");
        await shown();

        expect(await posting.end()).toMatchObject({ code: 0, out: "accepted 0, known 2\n" });
        for (const chat of chats) {
          expect(await chat.end()).toMatchObject({ code: 0 });
          expect(chat.lines().toSorted()).toEqual(said.toSorted());
          expect(chat.lines()).toEqual(chats[0]?.lines() ?? []);
          const eves = chat.lines().filter((line) => line.startsWith("Eve"));
          expect(eves).toEqual(missed.map((text) => `Eve says: ${text}`));
        }
        for (const stream of streams) {
          const { code, out, err } = await stream.end();
          expect(code).toBe(0);
          const id = /kept as transcription (\d+)/.exec(err)?.[1];
          const row = await (await fetch(`${server.url}/v1/transcriptions/${id}`)).json();
          expect(row).toMatchObject({
            status: "done",
            duration_ms: TO_MS - FROM_MS,
            transcription: out.trim().replaceAll("\n", " "),
          });
        }
      } finally {
        for (const program of [...chats, ...streams, posting]) program.kill();
      }
    },
  );
});

const POSTS = ["Angela Merkel spoke in Berlin.", "Barack Obama spoke in Paris."]
  .map((content) => `${JSON.stringify({ publication: "The Example", content })}\n`)
  .join("");
