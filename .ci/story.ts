import { type TestBrowser } from "../tests/support/browser.ts";
import type { Listening } from "../tests/support/server.ts";
import { type TestSocket, openSocket } from "../tests/support/socket.ts";
import { cut, speak, speech, wordsIn, written } from "../tests/support/speaker.ts";
import { drained, get, send, talkOf } from "../tests/support/topics.ts";

/** What Earshot is for, told from beginning to end. */
export interface Story {
  room: string;
  /** What the speaker was heard to say, and where it is kept. */
  words: string;
  transcriptionId: number;
}

const SAID_ON_THE_PAGE = "the page says something back";

/**
 * Two members chat, a third one speaks and is read by them, a post is counted. With a browser, a page is
 * in the room as well, reads along and answers.
 */
export async function tellStory(
  server: Listening,
  room: string,
  browser: TestBrowser | null,
): Promise<Story> {
  const enter = async (userId: number, name: string): Promise<TestSocket> => {
    const query = `room=${room}&user_id=${userId}&name=${name}`;
    const socket = await openSocket(`${server.wsUrl}/v1/ws/chat?${query}`);
    await socket.next("joined");
    return socket;
  };
  const [ada, ben] = [await enter(1, "Ada"), await enter(2, "Ben")];
  const page = await browser?.open(`${server.url}/rooms/${room}`);

  ada.send({ type: "say", room, client_id: "1", text: "hello from Ada" });
  expectFields(await ben.next("message"), { text: "hello from Ada", user: { id: 1, name: "Ada" } });
  await page?.getByRole("article", { name: /Ada/ }).getByText("hello from Ada").waitFor();

  const start = { room, user_id: 3, title: "what was said aloud" };
  const frames = await speak(server, cut(written(speech())), start);
  const words = wordsIn(frames);
  expectSome(words.split(" "), "words");
  expectSome(
    ben.frames.filter(({ type }) => type === "caption"),
    "words while they were spoken",
  );
  const lines = words.split("\n");
  for (const text of lines) expectFields(await captionIn(ben), { text });
  for (const text of lines) {
    await page?.getByRole("article").getByText(text, { exact: true }).first().waitFor();
  }

  if (page !== undefined) {
    await page.getByLabel("Message", { exact: true }).fill(SAID_ON_THE_PAGE);
    await page.keyboard.press("Enter");
    while ((await ben.next("message"))["text"] !== SAID_ON_THE_PAGE);
    expectEqual(browser?.complaints, []);
  }

  const post = { content: "Angela Merkel flew to Berlin.", publication: room };
  expectEqual((await send(server, post)).status, 201);
  await drained(server);
  const talk = await talkOf(server, room);
  expectEqual(talk.sort(), ["LOC Berlin: 1", "PER Angela Merkel: 1"]);

  ada.close();
  ben.close();
  await Promise.all([ada.closed, ben.closed]);
  const { transcription_id: id } = frames.find(({ type }) => type === "done") ?? {};
  return { room, words, transcriptionId: Number(id) };
}

/** What was said is found, given out, and still in its room. */
export async function expectKept(server: Listening, story: Story): Promise<void> {
  const { room, words, transcriptionId } = story;
  const word = words.split(/\s/).at(-1) ?? "";
  const { results } = await get<{ results: { id: number }[] }>(
    server,
    `/v1/transcriptions/search?q=${word}`,
  );
  expectSome(
    results.filter(({ id }) => id === transcriptionId),
    `findings of ${word}`,
  );
  for (const format of ["txt", "json", "srt", "vtt"]) {
    const path = `/v1/transcriptions/${transcriptionId}/export?format=${format}`;
    const text = await (await fetch(server.url + path)).text();
    expectSome(text.match(word) ?? [], `words in ${format}`);
  }
  const { messages } = await get<{ messages: { text: string; kind: string }[] }>(
    server,
    `/v1/rooms/${room}/messages`,
  );
  const captions = messages.filter(({ kind }) => kind === "caption");
  expectEqual(captions.map(({ text }) => text).join("\n"), words);
}

/** The next message that was spoken. */
async function captionIn(socket: TestSocket): Promise<Record<string, unknown>> {
  for (;;) {
    const message = await socket.next("message");
    if (message["kind"] === "caption") return message;
  }
}

export function expectEqual(actual: unknown, expected: unknown): void {
  if (Bun.deepEquals(actual, expected)) return;
  throw new Error(`expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}

function expectFields(actual: Record<string, unknown>, expected: Record<string, unknown>): void {
  const fields = Object.keys(expected).map((name) => [name, actual[name]]);
  expectEqual(Object.fromEntries(fields), expected);
}

function expectSome(found: readonly unknown[], what: string): void {
  if (found.length === 0) throw new Error(`there are no ${what}`);
}
