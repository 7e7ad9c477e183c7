import { expect, test } from "bun:test";
import { createHearing } from "../../../src/features/transcription/hearing.ts";
import { createMemorySpool } from "../../../src/features/transcription/spool.ts";
import type { RecognitionEvent } from "../../../src/speech/messages.ts";
import { type Recognition, RecognitionFull } from "../../../src/speech/recognition.ts";

/** Recognisers that only count who has a place with them. */
function countedPlaces() {
  let held = 0;
  let isFull = false;
  let tell: (event: RecognitionEvent) => void = () => {};
  const reserve: Recognition["reserve"] = (_wishes, told) => {
    if (isFull) throw new RecognitionFull("no place");
    held++;
    tell = told;
    return {
      open: () => {
        throw new Error("there was no header");
      },
      leave: () => void held--,
    };
  };
  return {
    reserve,
    held: () => held,
    /** The worker dies, and with it every place that it gave. */
    die: () => {
      held--;
      tell({ type: "failed", failure: { kind: "engine", message: "it died" } });
    },
    fill: (full: boolean) => void (isFull = full),
  };
}

function hearing(places: ReturnType<typeof countedPlaces>) {
  return createHearing(
    { format: "wav", language: "en", endpointingMs: 500, settledMs: 0 },
    {
      recognition: { reserve: places.reserve } as Recognition,
      spool: createMemorySpool(),
      tell: () => {},
      onFormat: () => {},
      counts: { receivedMs: 0, recognisedMs: 0, spoolErrors: 0 } as never,
    },
  );
}

test("a stream that ends before its header has no place, though its recogniser died meanwhile", async () => {
  const places = countedPlaces();
  const heard = hearing(places);
  await heard.reopen(0);
  places.die();
  heard.end();
  await heard.reopen();
  expect(places.held()).toBe(0);
});

test("nor does it when a new place was being looked for", async () => {
  const places = countedPlaces();
  const heard = hearing(places);
  await heard.reopen(0);
  places.fill(true);
  places.die();
  const looking = heard.reopen();
  heard.end();
  places.fill(false);
  await looking;
  expect(places.held()).toBe(0);
});
