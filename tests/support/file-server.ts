import { type AddressInfo, type Socket, createServer } from "node:net";

/** What the server does with one request. */
export interface FileAnswer {
  body: Uint8Array;
  etag?: string;
  /** False: the whole file, whatever part is asked for. */
  ranges?: boolean;
  /** Sends a part of the file even if it is another file by now. */
  ignoresIfRange?: boolean;
  /** Ends the connection after so many bytes of this answer, once the client has got them. */
  cutAfter?: number;
  /** Answers with this status and nothing else. */
  status?: number;
  location?: string;
}

interface FileRequest {
  path: string;
  range: string | undefined;
  ifRange: string | undefined;
}

export interface FileServer {
  url: string;
  /** All requests so far. */
  requests: FileRequest[];
  close(): Promise<void>;
}

/**
 * Serves files on a free port of this machine; `answer` is asked for each request, from 0 on. It
 * speaks HTTP itself, since servers take care never to end an answer too early. `clientBytes` says how
 * much of the file the client has.
 */
export async function serveFiles(
  answer: (count: number, path: string) => FileAnswer,
  clientBytes: () => number = () => 0,
): Promise<FileServer> {
  const requests: FileRequest[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // A client that goes away while it is answered.
    socket.on("error", () => undefined);
    let head = "";
    socket.on("data", (piece) => {
      head += String(piece);
      if (!head.includes("\r\n\r\n")) return;
      const request = requestOf(head);
      head = "";
      requests.push(request);
      const given = answer(requests.length - 1, request.path);
      socket.write(replyTo(request, given));
      void endOnceThere(socket, startOf(request, given) + (given.cutAfter ?? 0), clientBytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** What is on its way when a connection ends may get lost, which no test can foresee. */
async function endOnceThere(
  socket: Socket,
  bytes: number,
  clientBytes: () => number,
): Promise<void> {
  while (clientBytes() < bytes && !socket.destroyed) await Bun.sleep(2);
  socket.end();
}

function requestOf(head: string): FileRequest {
  const header = (name: string): string | undefined =>
    new RegExp(`^${name}: (.*)\r$`, "im").exec(head)?.[1];
  return {
    path: head.split(" ")[1] ?? "",
    range: header("range"),
    ifRange: header("if-range"),
  };
}

function replyTo(request: FileRequest, answer: FileAnswer): Uint8Array {
  const { body, etag, cutAfter, status, location } = answer;
  const headers: Record<string, string> = { connection: "close" };
  if (etag !== undefined) headers["etag"] = etag;
  if (location !== undefined) headers["location"] = location;
  if (status !== undefined) return reply(status, { ...headers, "content-length": "0" });
  const from = startOf(request, answer);
  if (from > 0 && from >= body.length) {
    return reply(416, { ...headers, "content-range": `bytes */${body.length}` });
  }
  headers["content-length"] = String(body.length - from);
  if (from > 0) headers["content-range"] = `bytes ${from}-${body.length - 1}/${body.length}`;
  const rest = body.subarray(from, cutAfter === undefined ? undefined : from + cutAfter);
  return reply(from > 0 ? 206 : 200, headers, rest);
}

function reply(
  status: number,
  headers: Record<string, string>,
  body: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status} Said\r\n${lines.join("")}\r\n`), body]);
}

function startOf({ range, ifRange }: FileRequest, answer: FileAnswer): number {
  const { etag, ranges = true, ignoresIfRange = false } = answer;
  const [, from] = /^bytes=(\d+)-$/.exec(range ?? "") ?? [];
  const isOther = ifRange !== undefined && ifRange !== etag && !ignoresIfRange;
  return from === undefined || !ranges || isOther ? 0 : Number(from);
}
