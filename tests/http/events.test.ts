import { describe, expect, test } from "bun:test";
import { type AnswerTold, answerInEvents, eventText, openEvents } from "../../src/http/events.ts";
import { Problem } from "../../src/http/problem.ts";
import { createLog } from "../../src/platform/log.ts";

const SILENT_NEVER_MS = 1_000_000;
const nobodyLeaves = (): void => undefined;

const textOf = (response: Response): Promise<string> => response.text();

describe("an event", () => {
  test("has a line for each line of its data", () => {
    expect(eventText("said", "one")).toBe("event: said\ndata: one\n\n");
    expect(eventText("said", "one\ntwo\r\nthree\rfour\n")).toBe(
      "event: said\ndata: one\ndata: two\ndata: three\ndata: four\ndata: \n\n",
    );
  });
});

describe("a stream of events", () => {
  test("tells what it is told until its end", async () => {
    const stream = openEvents({ waitingMax: 5, onLeave: nobodyLeaves });
    expect(stream.response.headers.get("content-type")).toBe("text/event-stream");
    expect(stream.response.headers.get("cache-control")).toBe("no-cache");
    expect(stream.tell("said", { text: "a\nb" })).toBe(true);
    stream.end();
    stream.end();
    expect(stream.tell("said", {})).toBe(false);
    expect(await textOf(stream.response)).toBe('event: said\ndata: {"text":"a\\nb"}\n\n');
  });

  test("takes no more than may wait, and goes on when that is read", async () => {
    const stream = openEvents({ waitingMax: 2, onLeave: nobodyLeaves, silentMs: SILENT_NEVER_MS });
    const taken = [1, 2, 3].map((at) => stream.tell("said", { at }));
    expect(taken).toEqual([true, true, false]);
    const reader = stream.response.body?.getReader();
    await reader?.read();
    expect(stream.tell("said", { at: 4 })).toBe(true);
    stream.end();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toContain('{"at":2}');
    expect(new TextDecoder().decode((await reader?.read())?.value)).toContain('{"at":4}');
    expect((await reader?.read())?.done).toBe(true);
  });

  test("says that it is there, and learns once that its caller left", async () => {
    let left = 0;
    const stream = openEvents({ waitingMax: 2, onLeave: () => void left++, silentMs: 1 });
    const reader = stream.response.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toStartWith(": ");
    await reader?.cancel();
    expect(left).toBe(1);
    expect(stream.tell("said", {})).toBe(false);
    stream.end();
    expect(left).toBe(1);
  });
});

describe("an answer in events", () => {
  const answer = (
    run: (told: AnswerTold) => Promise<void>,
    request = new Request("http://earshot.example/"),
  ): Promise<Response> =>
    answerInEvents({
      request,
      run,
      errorData: ({ code }) => ({ code }),
      beginsInSilence: false,
      log: createLog("silent"),
    });

  test("that goes wrong before it begins rejects, later it says so", async () => {
    const wrong = new Problem("llm_unavailable", "It is away");
    expect(await answer(() => Promise.reject(wrong)).catch((error: unknown) => error)).toBe(wrong);
    for (const [error, code] of [
      [wrong, "llm_unavailable"],
      [new Error("ours"), "internal"],
    ] as const) {
      const response = await answer(async ({ begin, tell }) => {
        begin();
        tell("delta", { text: "so far" });
        throw error;
      });
      expect(await textOf(response)).toBe(
        `event: delta\ndata: {"text":"so far"}\n\nevent: error\ndata: {"code":"${code}"}\n\n`,
      );
    }
  });

  test("is given up when its caller leaves, by the request or by the stream", async () => {
    for (const isRequests of [true, false]) {
      const leaving = new AbortController();
      const request = new Request("http://earshot.example/", { signal: leaving.signal });
      const gone = Promise.withResolvers<void>();
      const response = await answer(async ({ begin, signal, tell }) => {
        begin();
        signal.addEventListener("abort", () => gone.resolve());
        await gone.promise;
        tell("delta", {});
        throw new Error("nobody is told of this");
      }, request);
      if (isRequests) leaving.abort();
      else await response.body?.cancel();
      await gone.promise;
      if (isRequests) expect(await textOf(response)).toBe("");
    }
  });

  test("that nobody reads is broken off, and never looks whole", async () => {
    let isAborted = false;
    let told = 0;
    const response = await answer(async ({ begin, tell, signal }) => {
      begin();
      for (; !signal.aborted && told < 1_000_000; told++) tell("delta", { told });
      isAborted = signal.aborted;
      tell("done", {});
    });
    expect(isAborted).toBe(true);
    const text = await textOf(response);
    expect(text.split("\n\n").length).toBe(told);
    expect(text).not.toContain("done");
  });
});
