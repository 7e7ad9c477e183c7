/** A frame that came, as parsed. */
export type Frame = Record<string, unknown> & { type?: string };

/** A WebSocket client that knows nothing of the project. */
export interface TestSocket {
  send(frame: unknown): void;
  /** Sends text or bytes as they are. */
  sendRaw(data: string | Uint8Array<ArrayBuffer>): void;
  /** The next frame of that type that has not been taken; others before it stay. */
  next(type?: string, withinMs?: number): Promise<Frame>;
  /** Every frame that came, taken or not. */
  frames: Frame[];
  close(): void;
  closed: Promise<{ code: number; reason: string }>;
  raw: WebSocket;
}

export interface SocketOptions {
  protocols?: string[];
  headers?: Record<string, string>;
}

/** Opens a socket; rejects when the server refuses it. */
export async function openSocket(url: string, options: SocketOptions = {}): Promise<TestSocket> {
  // Bun's own takes headers as well, which the browsers' type does not know.
  const raw = new WebSocket(url, options as string[]);
  raw.binaryType = "arraybuffer";
  const frames: Frame[] = [];
  const untaken: Frame[] = [];
  const waiting = new Set<() => void>();
  raw.addEventListener("message", ({ data }) => {
    const frame = JSON.parse(String(data)) as Frame;
    frames.push(frame);
    untaken.push(frame);
    for (const look of waiting) look();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    raw.addEventListener("close", ({ code, reason }) => resolve({ code, reason }));
  });
  await new Promise<void>((resolve, reject) => {
    raw.addEventListener("open", () => resolve());
    raw.addEventListener("error", () => reject(new Error(`the socket ${url} was refused`)));
  });

  return {
    send: (frame) => raw.send(JSON.stringify(frame)),
    sendRaw: (data) => raw.send(data),
    next: (type, withinMs = 10_000) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const at = untaken.findIndex((frame) => type === undefined || frame.type === type);
          const [found] = at < 0 ? [] : untaken.splice(at, 1);
          if (found === undefined) return;
          waiting.delete(look);
          clearTimeout(timer);
          resolve(found);
        };
        const timer = setTimeout(() => {
          waiting.delete(look);
          const seen = frames.map((frame) => frame.type).join(", ");
          reject(new Error(`no frame of type ${type ?? "any"} came; there were: ${seen}`));
        }, withinMs);
        waiting.add(look);
        look();
      }),
    frames,
    close: () => raw.close(),
    closed,
    raw,
  };
}
