import { type CountedBus, busMessages, createListeners } from "./bus.ts";
import { type Log, errorFields } from "./log.ts";
import { type RedisClient, closeRedis, isRedisAway, openRedis } from "./redis.ts";

const PREFIX = "earshot:";
const BEAT_EVERY_MS = 500;
/** A subscriber that has not heard this process's own beat for so long is deaf and is replaced. */
const SILENCE_MS_MAX = 2_000;

export interface RedisBusDependencies {
  url: string;
  /** Sends commands; the bus opens the second connection, the listening one, itself. */
  commands: RedisClient;
  processId: string;
  log: Log;
}

/**
 * The bus of several processes. What this process publishes reaches its own listeners directly, so
 * they hear each other while Redis is away; the echo that Redis returns is dropped.
 */
export function createRedisBus({
  url,
  commands,
  processId,
  log,
}: RedisBusDependencies): CountedBus {
  const listeners = createListeners();
  const missed: (() => void)[] = [];
  const beatChannel = `beat:${processId}`;
  let heardAt = Number.NEGATIVE_INFINITY;
  /** Since when a beat that is sent should also be heard. */
  let expectedSince = performance.now();
  let losing = false;
  let closed = false;
  let published = 0;
  let received = 0;
  let subscriber = openSubscriber();

  const receive = (message: string, channel: string): void => {
    const cut = message.indexOf(" ");
    if (cut < 0 || message.slice(0, cut) === processId) return;
    received++;
    listeners.tell(channel.slice(PREFIX.length), JSON.parse(message.slice(cut + 1)));
  };

  const hearBeat = (): void => {
    const wasSilent = !hears();
    heardAt = performance.now();
    if (wasSilent) for (const listener of missed) listener();
  };

  const hears = (): boolean => subscriber.isReady && performance.now() - heardAt < SILENCE_MS_MAX;

  const listen = (channel: string): Promise<void> =>
    subscriber.isReady ? subscriber.subscribe(PREFIX + channel, receive) : Promise.resolve();

  function openSubscriber(): RedisClient {
    const client = openRedis(url, log, commands.trouble);
    // A client that comes back subscribes again by itself; a new one is told everything here.
    client.on("ready", () => {
      if (client !== subscriber) return;
      // However short a loss was, something may have been said meanwhile: the next beat tells so.
      heardAt = Number.NEGATIVE_INFINITY;
      expectedSince = performance.now();
      for (const channel of listeners.channels()) own(client.subscribe(PREFIX + channel, receive));
      // The beat stands last, so that whoever hears it hears every channel.
      own(client.subscribe(PREFIX + beatChannel, hearBeat).then(sendBeat));
    });
    return client;
  }

  const own = (sending: Promise<unknown>): void => {
    sending.then(
      () => (losing = false),
      (error: unknown) => {
        // One line, not one for each message of a busy room; that Redis is away is told already.
        if (!losing && !closed && !isRedisAway(error))
          log.warn(errorFields(error), "redis did not take a message");
        losing = true;
      },
    );
  };

  const sendBeat = (): void => {
    if (commands.isReady) own(commands.publish(PREFIX + beatChannel, ""));
    else expectedSince = performance.now();
  };

  const beat = setInterval(() => {
    sendBeat();
    const silentMs = performance.now() - Math.max(heardAt, expectedSince);
    if (commands.isReady && subscriber.isReady && silentMs > 2 * SILENCE_MS_MAX) {
      log.warn({}, "the redis subscription went deaf and is replaced");
      const old = subscriber;
      subscriber = openSubscriber();
      old.destroy();
    }
  }, BEAT_EVERY_MS);

  return {
    measure: () => [busMessages(published, received)],
    publish: (channel, message) => {
      published++;
      listeners.tell(channel, message);
      if (commands.isReady)
        own(commands.publish(PREFIX + channel, `${processId} ${JSON.stringify(message)}`));
    },
    subscribe: (channel, listener) => {
      listeners.add(channel, listener);
      return {
        // The first listener's subscription may still be on its way: the client sees to it.
        ready: listen(channel).catch((error: unknown) => {
          log.warn(errorFields(error), "redis did not take a subscription");
        }),
        stop: () => {
          if (!listeners.remove(channel, listener) || !subscriber.isReady) return;
          // Without `receive` the client would drop a subscription that follows at once as well.
          own(subscriber.unsubscribe(PREFIX + channel, receive));
        },
      };
    },
    onMissed: (listener) => void missed.push(listener),
    connected: () => commands.isReady && hears(),
    close: () => {
      closed = true;
      clearInterval(beat);
      return closeRedis(subscriber);
    },
  };
}
