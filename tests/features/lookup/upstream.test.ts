import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { type Server, createServer } from "node:net";
import { gzipSync } from "node:zlib";
import type { Resolve } from "../../../src/features/lookup/resolving.ts";
import { until } from "../../support/app.ts";
import { type Scripted, TLS, saidBy, serviceOf, startScripted, wordsEntry } from "./scripted.ts";

const OWL = { word: "owl" };

let api: Scripted;
let secure: Scripted;
beforeAll(() => {
  api = startScripted();
  secure = startScripted(TLS);
});
afterEach(() => {
  api.reset();
  secure.reset();
});
afterAll(() => Promise.all([api.stop(), secure.stop()]));

describe("what a source sends", () => {
  const cases: [string, () => Response | Promise<Response>, string][] = [
    ["gzip", () => packed("[1]"), "MISS [1]"],
    ["gzip that is broken", () => packed("[1]", -3), "something that is broken"],
    ["a bomb of gzip", () => packed("0".repeat(10_000_000)), "more than it may"],
    ["more than it may", () => Response.json("x".repeat(1_000)), "more than it may"],
    ["as much as it may", () => Response.json("x".repeat(998)), `MISS "${"x".repeat(998)}"`],
    ["brotli, unasked", () => json("[1]", { "content-encoding": "br" }), "not asked for"],
    ["gzip twice", () => json("[1]", { "content-encoding": "gzip, gzip" }), "not asked for"],
    [
      "a page",
      () => new Response("<p>", { headers: { "content-type": "text/html" } }),
      "not passed",
    ],
    ["nothing said of its type", () => new Response(Buffer.from("1")), "not passed on"],
    [
      "another alphabet",
      () => json("[1]", { "content-type": "application/json; charset=utf-7" }),
      "not passed on",
    ],
    ["JSON that is none", () => json("{"), "something that is broken"],
    ["no UTF-8", () => json(Buffer.from('"\xff"', "latin1")), "something that is broken"],
    ["no answer to a part", () => json("[1]", {}, 206), "answered 206"],
    ["a redirect to nowhere", () => json("[1]", {}, 302), "answered 302"],
  ];
  for (const [what, answer, expected] of cases) {
    test(`${what}: ${expected.slice(0, 30)}`, async () => {
      api.answer = answer;
      const service = serviceOf(wordsEntry(api.url, { bytes_max: 1_000 }));
      expect(await saidBy(service, OWL)).toContain(expected);
    });
  }

  test("without an end is cut", async () => {
    let isLeft = false;
    api.answer = (request) => {
      request.signal.addEventListener("abort", () => (isLeft = true));
      const body = new ReadableStream({
        pull: async (controller) => {
          controller.enqueue(new Uint8Array(10_000));
          await Bun.sleep(1);
        },
      });
      return json(body);
    };
    expect(await saidBy(serviceOf(wordsEntry(api.url)), OWL)).toContain("more than it may");
    await until(() => isLeft);
  });

  test("too slowly is given up: headers, body, and the name server's answer", async () => {
    const entry = wordsEntry(api.url, { timeout_ms: 100 });
    api.answer = () => new Promise(() => {});
    expect(await saidBy(serviceOf(entry), OWL)).toContain("took too long");
    api.answer = () => json(new ReadableStream({ pull: () => new Promise(() => {}) }));
    expect(await saidBy(serviceOf(entry), OWL)).toContain("took too long");
    const named = wordsEntry("https://api.example.org", { timeout_ms: 100 });
    const service = serviceOf(named, { resolve: () => new Promise(() => {}) });
    expect(await saidBy(service, OWL)).toContain("took too long");
  });

  const raw: [string, string, string][] = [
    ["less than it promised", "200 OK\r\ncontent-length: 9\r\n\r\n[1]", "could not be reached"],
    [
      "a broken last chunk",
      "200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n[1]",
      "not be reached",
    ],
    ["no HTTP", "hello", "could not be reached"],
    ["endless headers", `200 OK\r\nx: ${"y".repeat(100_000)}\r\n`, "could not be reached"],
    ["many headers", `200 OK\r\n${"x-y: z\r\n".repeat(10_000)}`, "could not be reached"],
  ];
  for (const [what, text, expected] of raw) {
    test(`${what}: ${expected}`, async () => {
      const type = "content-type: application/json\r\n";
      const { server, port } = await startRaw(
        text === "hello" ? text : `HTTP/1.1 ${text.replace("\r\n", `\r\n${type}`)}`,
      );
      try {
        const service = serviceOf(wordsEntry(`http://127.0.0.1:${port}`));
        expect(await saidBy(service, OWL)).toContain(expected);
      } finally {
        server.close();
      }
    });
  }
});

describe("a redirect", () => {
  const follow = (location: string): Promise<string> => {
    api.answer = (request) =>
      request.url.includes("owl") ? moved(location) : Response.json("there");
    return saidBy(serviceOf(wordsEntry(api.url)), OWL);
  };

  test("to what may be asked anyway is followed, with two steps at most", async () => {
    expect(await follow("/entries/Barn%20swallow")).toBe('MISS "there"');
    expect(api.calls).toEqual(["/entries/owl", "/entries/Barn%20swallow"]);
    const steps = async (most: number): Promise<string> => {
      api.answer = (request) => {
        const step = Number(/\d+$/.exec(request.url)?.[0] ?? 0);
        return step < most ? moved(String(step + 1)) : Response.json(step);
      };
      return saidBy(serviceOf(wordsEntry(api.url)), { word: "0" });
    };
    expect(await steps(2)).toBe("MISS 2");
    expect(await steps(3)).toContain("leads in circles");
    expect(await follow("/entries/owl")).toContain("leads in circles");
  });

  test("off the host, to another port, protocol or place is not", async () => {
    let others = 0;
    secure.answer = () => {
      others++;
      return Response.json("secret");
    };
    for (const location of [
      "http://169.254.169.254/latest/meta-data/",
      "http://[::1]/entries/x",
      `https://127.0.0.1:${secure.port}/entries/x`,
      `//127.0.0.1:${secure.port}/entries/x`,
      `http://127.0.0.1:${secure.port}/entries/x`,
      `http://localhost:${api.port}/entries/x`,
      `http://me:secret@127.0.0.1:${api.port}/entries/x`,
      "/admin",
      "/entries/../admin",
      "/entries/%2e%2e%2fadmin",
      "file:///etc/passwd",
      "gopher://127.0.0.1/",
      "http://",
    ]) {
      api.calls.length = 0;
      const said = await follow(location);
      expect({ location, said, calls: api.calls }).toEqual({
        location,
        said: "upstream_failed: words leads to somewhere else",
        calls: ["/entries/owl"],
      });
    }
    expect(others).toBe(0);
  });
});

describe("the connection", () => {
  const named = (more = {}) => ({
    ...wordsEntry(`https://${TLS.host}:${secure.port}`, more),
    allow_http: false,
  });
  const to =
    (...addresses: string[]): Resolve =>
    () =>
      Promise.resolve(addresses);

  test("goes to the address that was checked; name and certificate are the host's", async () => {
    let asked = 0;
    let host: string | null = null;
    secure.answer = (request) => {
      host = request.headers.get("host");
      return Response.json("secure");
    };
    const service = serviceOf(named(), {
      ca: TLS.cert,
      // A name that means something else the next time it is asked for.
      resolve: () => Promise.resolve([asked++ === 0 ? "127.0.0.1" : "10.255.255.1"]),
    });
    expect(await saidBy(service, OWL)).toBe('MISS "secure"');
    expect(asked).toBe(1);
    expect(String(host)).toBe(`${TLS.host}:${secure.port}`);
  });

  test("is refused when the certificate is another's or nobody's", async () => {
    const other = { ...named(), base_url: `https://other.example.test:${secure.port}` };
    const resolve = to("127.0.0.1");
    const refused = "upstream_failed: words could not be reached";
    expect(await saidBy(serviceOf(other, { ca: TLS.cert, resolve }), OWL)).toBe(refused);
    expect(await saidBy(serviceOf(named(), { resolve }), OWL)).toBe(refused);
    const byAddress = { ...named(), base_url: `https://127.0.0.1:${secure.port}` };
    expect(await saidBy(serviceOf(byAddress, { ca: TLS.cert }), OWL)).toBe(refused);
    expect(secure.calls).toEqual([]);
  });

  test("tries the next address when one cannot be reached, IPv4 first", async () => {
    const service = serviceOf(named(), {
      ca: TLS.cert,
      resolve: to("::1", "127.9.9.9", "127.0.0.1"),
    });
    expect(await saidBy(service, OWL)).toStartWith("MISS");
  });

  test("ignores a proxy of the environment", async () => {
    const before = process.env["HTTP_PROXY"];
    process.env["HTTP_PROXY"] = "http://127.0.0.1:1";
    try {
      expect(await saidBy(serviceOf(wordsEntry(api.url)), OWL)).toStartWith("MISS");
    } finally {
      if (before === undefined) delete process.env["HTTP_PROXY"];
      else process.env["HTTP_PROXY"] = before;
    }
  });

  test("is never made to an address of one's own network, whatever the name says", async () => {
    const open = { ...named(), private: false };
    for (const addresses of [
      ["127.0.0.1"],
      ["10.0.0.1"],
      ["172.16.0.1"],
      ["192.168.1.1"],
      ["100.64.0.1"],
      ["169.254.169.254"],
      ["0.0.0.0"],
      ["224.0.0.1"],
      ["255.255.255.255"],
      ["::1"],
      ["::"],
      ["fd00::1"],
      ["fe80::1"],
      ["fe80::1%eth0"],
      ["ff02::1"],
      ["::ffff:127.0.0.1"],
      ["::ffff:7f00:1"],
      ["::127.0.0.1"],
      ["64:ff9b::7f00:1"],
      ["2002:7f00:1::"],
      ["2001:0:7f00:1::"],
      ["2130706433"],
      ["0x7f.1"],
      ["localhost"],
      // One good one does not make up for it.
      ["8.8.8.8", "127.0.0.1"],
      ["2606:4700:4700::1111", "::1"],
    ]) {
      const service = serviceOf(open, { ca: TLS.cert, resolve: to(...addresses) });
      expect({ addresses, said: await saidBy(service, OWL) }).toEqual({
        addresses,
        said: "upstream_failed: words leads to an address that may not be asked",
      });
    }
    expect(secure.calls).toEqual([]);
  });

  test("is made to no cloud's own service even for a source that is private on purpose", async () => {
    for (const address of [
      "169.254.169.254",
      "100.100.100.200",
      "fd00:ec2::254",
      "::ffff:7f00:1",
    ]) {
      const service = serviceOf(named(), { ca: TLS.cert, resolve: to(address) });
      expect(await saidBy(service, OWL)).toContain("may not be asked");
    }
  });

  test("is not made to a name that leads nowhere", async () => {
    expect(await saidBy(serviceOf(named(), { resolve: to() }), OWL)).toContain("has no address");
    const service = serviceOf(named(), { resolve: () => Promise.reject(new Error("ENOTFOUND")) });
    expect(await saidBy(service, OWL)).toContain("could not be found by its name");
  });

  test("to localhost by its name is refused as well", async () => {
    const entry = { ...wordsEntry(`http://localhost:${api.port}`), private: false };
    expect(await saidBy(serviceOf(entry), OWL)).toContain("may not be asked");
    expect(api.calls).toEqual([]);
  });
});

function json(
  body: string | Uint8Array<ArrayBuffer> | ReadableStream,
  headers: Record<string, string> = {},
  status = 200,
): Response {
  return new Response(body, {
    status,
    headers: { "content-type": "application/json", ...headers },
  });
}

function packed(text: string, cut = 0): Response {
  const bytes = gzipSync(text);
  return json(bytes.subarray(0, bytes.length + cut), { "content-encoding": "gzip" });
}

function moved(location: string): Response {
  return new Response(null, { status: 302, headers: { location } });
}

/** A server that says `text` to everybody and hangs up. */
async function startRaw(text: string): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(text));
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
  return { server, port };
}
