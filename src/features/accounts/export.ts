import type { AllBelongings } from "./belongings.ts";

/** What is handed over at once; the rest is read when the client takes it. */
const PIECE_CHARACTERS = 32 * 1024;

/**
 * One JSON object of everything: `head`, then an array for each kind of belongings. It is read while
 * it is sent, so that it is never whole in memory.
 */
export function exportAnswer(
  userId: number,
  head: Readonly<Record<string, unknown>>,
  belongings: AllBelongings,
): Response {
  const texts = textsOf(userId, head, belongings);
  const body = new ReadableStream<string>({
    pull: async (controller) => {
      let piece = "";
      while (piece.length < PIECE_CHARACTERS) {
        const next = await texts.next();
        if (next.done === true) {
          controller.enqueue(piece);
          return controller.close();
        }
        piece += next.value;
      }
      controller.enqueue(piece);
      // Others have their turn between two pieces, also when the client is quick.
      await new Promise((resolve) => setImmediate(resolve));
    },
    cancel: async () => void (await texts.return(undefined)),
  });
  return new Response(body.pipeThrough(new TextEncoderStream()), {
    headers: {
      "content-type": "application/json",
      "content-disposition": 'attachment; filename="earshot-account.json"',
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    },
  });
}

async function* textsOf(
  userId: number,
  head: Readonly<Record<string, unknown>>,
  belongings: AllBelongings,
): AsyncGenerator<string, undefined> {
  let separator = "{";
  for (const [name, value] of Object.entries(head)) {
    yield `${separator}\n${JSON.stringify(name)}:${JSON.stringify(value)}`;
    separator = ",";
  }
  for (const [name, { read }] of Object.entries(belongings)) {
    yield `${separator}\n${JSON.stringify(name)}:[`;
    separator = "";
    for await (const page of read(userId)) {
      for (const one of page) {
        yield `${separator}\n${JSON.stringify(one)}`;
        separator = ",";
      }
    }
    yield "]";
    separator = ",";
  }
  yield "}\n";
  return undefined;
}
