import { afterEach, describe, expect, test } from "bun:test";
import { type Sent, sendPosts } from "../../../src/cli/simulate/send.ts";
import { type Service, createService } from "../../../src/cli/simulate/service.ts";
import { type SourcePost, firstOf, generated } from "../../../src/cli/simulate/source.ts";

let close = (): unknown => undefined;

afterEach(() => close());

interface Shop {
  url: string;
  /** Bodies, as they came. */
  bodies: string[];
  /** External ids that were taken. */
  taken: Set<string>;
}

/** A service that keeps ids; `answer` may speak for it, to the n-th request from 0 on. */
function openShop(answer: (count: number) => Response | undefined = () => undefined): Shop {
  const bodies: string[] = [];
  const taken = new Set<string>();
  const take = (line: string): boolean => {
    const { external_id: id } = JSON.parse(line) as { external_id: string };
    const isNew = !taken.has(id);
    taken.add(id);
    return isNew;
  };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const body = await request.text();
      bodies.push(body);
      const said = answer(bodies.length - 1);
      if (said !== undefined) return said;
      if (!request.url.endsWith("/bulk")) {
        return Response.json({ id: 1 }, { status: take(body) ? 201 : 200 });
      }
      const isNew = body.trim().split("\n").map(take);
      const accepted = isNew.filter(Boolean).length;
      const duplicates = isNew.length - accepted;
      return Response.json({ accepted, duplicates, rejected: [] }, { status: 201 });
    },
  });
  close = () => server.stop(true);
  return { url: `http://127.0.0.1:${server.port}`, bodies, taken };
}

interface Watched {
  troubles: string[];
  refused: string[];
}

function serviceAt(url: string, watched: Watched, patienceMs = 20_000): Service {
  return createService({
    url,
    key: null,
    patienceMs,
    now: () => performance.now(),
    random: () => 0.5,
    onTrouble: (reason) => watched.troubles.push(reason),
  });
}

const post = (n: number): SourcePost => ({
  content: `post ${n}`,
  publication: "A",
  externalId: `id-${n}`,
  publishedAt: null,
});

async function send(
  url: string,
  count: number,
  change: { isBulk?: boolean; concurrency?: number; patienceMs?: number } = {},
): Promise<Sent & Watched> {
  const { isBulk = false, concurrency = 4, patienceMs } = change;
  const watched: Watched = { troubles: [], refused: [] };
  const sent = await sendPosts({
    service: serviceAt(url, watched, patienceMs),
    posts: firstOf(generated(post), count),
    concurrency,
    isBulk,
    onProgress: () => undefined,
    onRejected: ({ externalId }, reason) => watched.refused.push(`${externalId}: ${reason}`),
    onBadLine: () => undefined,
  });
  return { ...sent, ...watched };
}

function problem(status: number, detail: string, headers: Record<string, string> = {}): Response {
  return Response.json({ detail, code: "x" }, { status, headers });
}

describe.each([
  ["one by one", false, 100],
  ["many at once", true, 1_234],
])("posts are sent %s", (_name, isBulk, count) => {
  test("and all arrive", async () => {
    const shop = openShop();
    expect(await send(shop.url, count, { isBulk })).toMatchObject({ sent: count, known: 0 });
    expect(shop.taken.size).toBe(count);
    expect(shop.bodies.length).toBe(isBulk ? 3 : 100);
    const [line = ""] = shop.bodies.flatMap((body) => body.split("\n"));
    expect(Object.keys(JSON.parse(line) as object)).toEqual([
      "content",
      "publication",
      "external_id",
    ]);
  });

  test("and those that are there are told apart", async () => {
    const shop = openShop();
    await send(shop.url, 10, { isBulk });
    expect(await send(shop.url, 15, { isBulk })).toMatchObject({ sent: 5, known: 10 });
  });

  test("again when the service is busy or broken, under the same id", async () => {
    const shop = openShop((count) => {
      if (count % 4 === 0) return problem(503, "stopping", { "retry-after": "0" });
      if (count % 4 === 1) return problem(429, "slowly");
      return count % 4 === 2 ? problem(500, "broken") : undefined;
    });
    const { sent, troubles, failure } = await send(shop.url, 4, { isBulk, concurrency: 1 });
    expect([sent, failure]).toEqual([4, null]);
    expect(shop.taken.size).toBe(4);
    expect(troubles[0]).toBe("it answers 503: stopping");
  });

  test("not at all with a key that is none", async () => {
    const shop = openShop(() => problem(401, "no such key"));
    const { failure, sent } = await send(shop.url, 20, { isBulk });
    expect(failure?.message).toStartWith("the service answers 401: no such key; give a key with");
    expect(sent).toBe(0);
  });

  test("no more after patience is over", async () => {
    const shop = openShop(() => problem(503, "stopping"));
    const { failure } = await send(shop.url, 20, { isBulk, patienceMs: 0 });
    expect(failure?.message).toEndWith("has not answered well for 0 s: it answers 503: stopping");
    expect(shop.bodies.length).toBeLessThanOrEqual(4);
  });

  test("to a place that has no posts in vain", async () => {
    const shop = openShop(() => new Response("what?", { status: 404 }));
    const { failure } = await send(shop.url, 20, { isBulk });
    expect(failure?.message).toBe("the service answers 404; is it an Earshot that takes posts?");
  });
});

test("an answer that is cut counts as sent, once the post is known", async () => {
  const ids: string[] = [];
  const listener = Bun.listen<{ text: string }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => {
        socket.data = { text: "" };
      },
      data: (socket, bytes) => {
        socket.data.text += bytes.toString();
        const [, id] = /"external_id":"([^"]+)"/.exec(socket.data.text) ?? [];
        if (id === undefined) return;
        ids.push(id);
        const [status, length] = ids.length % 2 === 1 ? ["201 Created", 100] : ["200 OK", 8];
        // Says more than it gives, the first time.
        socket.end(
          `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: ${length}\r\n\r\n{"id":1}`,
        );
      },
    },
  });
  close = () => listener.stop(true);
  const url = `http://127.0.0.1:${listener.port}`;
  const { sent, known, troubles } = await send(url, 3, { concurrency: 1 });
  expect([sent, known]).toEqual([3, 0]);
  expect(ids).toEqual(["id-1", "id-1", "id-2", "id-2", "id-3", "id-3"]);
  expect(troubles).toHaveLength(3);
});

test.each([
  ["an API key", "ek_abc", "x-api-key", "ek_abc"],
  ["an access token", "eyJh.eyJz.c2ln", "authorization", "Bearer eyJh.eyJz.c2ln"],
])("%s is shown where it belongs", async (_name, key, header, value) => {
  const headers: Headers[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      headers.push(request.headers);
      return Response.json({});
    },
  });
  close = () => server.stop(true);
  const service = createService({
    url: `http://127.0.0.1:${server.port}/`,
    key,
    patienceMs: 0,
    now: () => 0,
    random: () => 0,
    onTrouble: () => undefined,
  });
  await service.ask({ method: "GET", path: "/v1/queue" });
  expect(headers[0]?.get(header)).toBe(value);
});

test("nobody there is said so, and waited for", async () => {
  const port = openShop().url;
  close();
  const { failure, troubles } = await send(port, 5, { patienceMs: 120 });
  expect(failure?.message).toEndWith("nobody listens there");
  expect(troubles).toEqual(["nobody listens there"]);
});

test("posts that are refused are told, and the others go on", async () => {
  const shop = openShop((count) =>
    count === 1 ? problem(422, "content must not be empty") : undefined,
  );
  const one = await send(shop.url, 4, { concurrency: 1 });
  expect([one.sent, one.refused]).toEqual([3, ["id-2: 422: content must not be empty"]]);
  close();
  const rejected = [{ line: 2, code: "invalid" }];
  const bulk = openShop(() =>
    Response.json({ accepted: 3, duplicates: 0, rejected }, { status: 201 }),
  );
  const many = await send(bulk.url, 4, { isBulk: true });
  expect([many.sent, many.refused]).toEqual([3, ["id-2: invalid"]]);
});

test("a service that forgets posts of a batch is not believed", async () => {
  const shop = openShop(() =>
    Response.json({ accepted: 3, duplicates: 0, rejected: [] }, { status: 201 }),
  );
  const { failure } = await send(shop.url, 4, { isBulk: true });
  expect(failure?.message).toBe("of 4 posts the service says what became of 3");
});

test("no more requests are under way than asked for, and no more posts are held", async () => {
  let made = 0;
  let open = 0;
  let most = 0;
  let ahead = 0;
  let done = 0;
  const service: Service = {
    ask: async () => {
      most = Math.max(most, ++open);
      ahead = Math.max(ahead, made - done);
      await Bun.sleep(0);
      open--;
      return { status: 201, json: { id: 1 }, isRepeat: false };
    },
  };
  await sendPosts({
    service,
    posts: firstOf(
      generated((n) => {
        made++;
        return post(n);
      }),
      500,
    ),
    concurrency: 5,
    isBulk: false,
    onProgress: (posts) => {
      done = posts;
    },
    onRejected: () => undefined,
    onBadLine: () => undefined,
  });
  expect(most).toBe(5);
  expect(ahead).toBeLessThanOrEqual(6);
});
