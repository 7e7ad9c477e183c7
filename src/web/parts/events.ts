/** A server-sent event. */
export interface ServerEvent {
  event: string;
  data: string;
}

/**
 * Reads a stream of server-sent events (HTML Living Standard, section 9.2) as the server sends them.
 * `onAlive` is called for every piece, also for one that only says that the server is still there.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  onAlive: () => void,
): AsyncGenerator<ServerEvent, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onAlive();
      const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = eventOf(block);
        if (event !== null) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Null for a comment. */
function eventOf(block: string): ServerEvent | null {
  let event = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) event = line.slice("event: ".length);
    if (line.startsWith("data: ")) data.push(line.slice("data: ".length));
  }
  return data.length === 0 ? null : { event, data: data.join("\n") };
}
