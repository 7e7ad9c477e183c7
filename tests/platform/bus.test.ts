import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createRedisBus } from "../../src/platform/bus.redis.ts";
import { type Bus, createMemoryBus } from "../../src/platform/bus.ts";
import { createLog } from "../../src/platform/log.ts";
import { type RedisClient, closeRedis, openRedis } from "../../src/platform/redis.ts";
import { until } from "../support/app.ts";
import { type TestRedis, hasRedis, startRedis } from "../support/redis.ts";

const log = createLog("error", () => {});

/** Two ends that should hear each other: the same bus twice where a process is alone. */
interface Ends {
  here: Bus;
  there: Bus;
  close(): Promise<void>;
}

/** Collects what is heard on `channel`. */
function hear(bus: Bus, channel: string): { heard: unknown[]; ready: Promise<void>; stop(): void } {
  const heard: unknown[] = [];
  const { ready, stop } = bus.subscribe(channel, (message) => void heard.push(message));
  return { heard, ready, stop };
}

/** Resolves when everything that was said on `channel` before has been heard by `there`. */
async function flush({ here, there }: Ends, channel: string): Promise<void> {
  let isHeard = false;
  const { ready, stop } = there.subscribe(channel, (message) => {
    if (message === "flush") isHeard = true;
  });
  await ready;
  here.publish(channel, "flush");
  await until(() => isHeard);
  stop();
}

function suite(openEnds: () => Promise<Ends>): void {
  let ends: Ends;

  beforeEach(async () => {
    ends = await openEnds();
  });

  afterEach(async () => {
    await ends.close();
  });

  test("its own listeners hear before publish returns", () => {
    const { heard } = hear(ends.here, "room:a");
    ends.here.publish("room:a", { text: "hello" });
    expect(heard).toEqual([{ text: "hello" }]);
  });

  test("listeners at the other end hear too", async () => {
    const { heard, ready } = hear(ends.there, "room:a");
    await ready;
    ends.here.publish("room:a", { text: "hello", list: [1, null, { deep: true }] });
    await until(() => heard.length > 0);
    expect(heard).toEqual([{ text: "hello", list: [1, null, { deep: true }] }]);
  });

  test("what one publisher says keeps its order", async () => {
    const { heard, ready } = hear(ends.there, "room:a");
    await ready;
    const said = Array.from({ length: 500 }, (_, number) => number);
    for (const number of said) ends.here.publish("room:a", number);
    await until(() => heard.length >= said.length);
    expect(heard).toEqual(said);
  });

  test("nobody hears what they said twice", async () => {
    const own = hear(ends.here, "room:a");
    await own.ready;
    ends.here.publish("room:a", "once");
    await flush(ends, "room:a");
    // Echoes come in order, so this one's answer comes after the echoes of both.
    ends.there.publish("room:a", "answer");
    await until(() => own.heard.includes("answer"));
    expect(own.heard).toEqual(["once", "flush", "answer"]);
  });

  test("a listener that was stopped hears nothing more, the others do", async () => {
    const first = hear(ends.there, "room:a");
    const second = hear(ends.there, "room:a");
    await Promise.all([first.ready, second.ready]);
    ends.here.publish("room:a", 1);
    await until(() => second.heard.length === 1);
    first.stop();
    first.stop();
    ends.here.publish("room:a", 2);
    await until(() => second.heard.length === 2);
    second.stop();
    ends.here.publish("room:a", 3);
    await flush(ends, "room:a");
    expect(first.heard).toEqual([1]);
    expect(second.heard).toEqual([1, 2]);
  });

  test("every listener hears its own channel only", async () => {
    const a = hear(ends.there, "room:a");
    const alsoA = hear(ends.there, "room:a");
    const b = hear(ends.there, "room:b");
    await Promise.all([a.ready, alsoA.ready, b.ready]);
    ends.here.publish("room:a", "for a");
    ends.here.publish("room:b", "for b");
    await until(() => b.heard.length > 0);
    expect([a.heard, alsoA.heard, b.heard]).toEqual([["for a"], ["for a"], ["for b"]]);
  });

  test("one who stops and listens again at once hears", async () => {
    const first = hear(ends.there, "room:a");
    await first.ready;
    for (let i = 0; i < 3; i++) {
      const passing = hear(ends.there, "room:b");
      await passing.ready;
      passing.stop();
    }
    const last = hear(ends.there, "room:b");
    await last.ready;
    ends.here.publish("room:b", "hello");
    await until(() => last.heard.length > 0);
    expect(last.heard).toEqual(["hello"]);
    expect(first.heard).toEqual([]);
  });

  test("the second listener of a channel hears as soon as it is told that it does", async () => {
    const first = hear(ends.there, "room:a");
    const second = hear(ends.there, "room:a");
    await second.ready;
    ends.here.publish("room:a", "hello");
    await until(() => second.heard.length > 0 && first.heard.length > 0);
    expect(second.heard).toEqual(["hello"]);
  });

  test("channels may have any name and messages any text", async () => {
    const names = ["a b", "a  b", "कमरा", "room:a:b", "room::", "🦉 *?[a]", "line\nbreak"];
    const listeners = names.map((name) => hear(ends.there, name));
    await Promise.all(listeners.map(({ ready }) => ready));
    for (const name of names) ends.here.publish(name, ` ${name} \u0000\u2028 हिन्दी`);
    await until(() => listeners.every(({ heard }) => heard.length > 0));
    expect(listeners.map(({ heard }) => heard)).toEqual(
      names.map((name) => [` ${name} \u0000\u2028 हिन्दी`]),
    );
  });

  test("it is connected", async () => {
    await until(() => ends.here.connected());
  });
}

describe("the bus of a process that is alone", () => {
  suite(() => {
    const bus = createMemoryBus();
    return Promise.resolve({ here: bus, there: bus, close: () => bus.close() });
  });
});

describe.skipIf(!hasRedis)("the bus of several processes (needs redis-server)", () => {
  let redis: TestRedis;
  const clients: RedisClient[] = [];
  const buses: Bus[] = [];

  const openBus = (processId: string): Bus => {
    const commands = openRedis(redis.url, log);
    const bus = createRedisBus({ url: redis.url, commands, processId, log });
    clients.push(commands);
    buses.push(bus);
    return bus;
  };

  const openEnds = async (): Promise<Ends> => {
    const here = openBus("here");
    const there = openBus("there");
    await until(() => here.connected() && there.connected());
    return { here, there, close };
  };

  const close = async (): Promise<void> => {
    for (const bus of buses.splice(0)) await bus.close();
    for (const client of clients.splice(0)) await closeRedis(client);
  };

  beforeAll(async () => {
    redis = await startRedis();
  });

  afterAll(async () => {
    await redis.dispose();
  });

  suite(openEnds);

  test("own listeners hear while redis is away, and all hear each other when it is back", async () => {
    const { here, there } = await openEnds();
    let missed = 0;
    there.onMissed(() => missed++);
    const own = hear(here, "room:a");
    const other = hear(there, "room:a");
    await Promise.all([own.ready, other.ready]);

    await redis.kill();
    await until(() => !here.connected() && !there.connected());
    here.publish("room:a", "while away");
    expect(own.heard).toEqual(["while away"]);
    // Somebody who comes now is heard as well once redis is back.
    const late = hear(there, "room:late");
    await late.ready;
    const missedBefore = missed;

    await redis.start();
    await until(() => here.connected() && there.connected());
    expect(missed).toBeGreaterThan(missedBefore);
    here.publish("room:a", "back");
    here.publish("room:late", "back");
    there.publish("room:a", "me too");
    await until(() => other.heard.length > 1 && own.heard.length > 2 && late.heard.length > 0);
    // Its own word and the other end's may have crossed.
    expect(new Set(other.heard)).toEqual(new Set(["back", "me too"]));
    expect(other.heard).toHaveLength(2);
    expect(own.heard).toEqual(["while away", "back", "me too"]);
    expect(late.heard).toEqual(["back"]);
    await close();
  });

  test("a loss too short to be noticed as silence is told of too", async () => {
    const { here } = await openEnds();
    let missed = 0;
    here.onMissed(() => missed++);
    await redis.cli("client", "kill", "type", "pubsub");
    await until(() => missed > 0);
    await until(() => here.connected());
    await close();
  });

  test("it waits for a redis that is not there yet", async () => {
    await redis.kill();
    const here = openBus("here");
    const there = openBus("there");
    const { heard, ready } = hear(there, "room:a");
    await ready;
    expect(here.connected()).toBe(false);
    await redis.start();
    await until(() => here.connected() && there.connected());
    here.publish("room:a", "hello");
    await until(() => heard.length > 0);
    expect(heard).toEqual(["hello"]);
    await close();
  });

  test("closing it leaves no connection open, not even one that is being made", async () => {
    await openEnds();
    await close();
    for (let turns = 0; turns < 30; turns++) {
      openBus(`process ${turns}`);
      // Each is closed at another point of its way.
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
      await close();
    }
    // What remains is the client that asks.
    const count = async (): Promise<number> =>
      (await redis.cli("client", "list")).split("\n").filter((line) => line.startsWith("id="))
        .length;
    await until(async () => (await count()) === 1);
  });
});
