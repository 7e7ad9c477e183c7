import { randomInt } from "node:crypto";
import { type Api, createApi } from "./api.ts";
import type { Config } from "./config.ts";
import { readSources } from "./features/lookup/source-file.ts";
import { UPLOAD_BODY_BYTES_MAX } from "./features/transcription/uploads.ts";
import { type Certificate, readCertificate, whyNotBelieved } from "./http/certificate.ts";
import { createIdentify } from "./http/guard.ts";
import { type HealthDependencies, healthMeasure } from "./http/health.ts";
import { createHttpCounts } from "./http/metrics.ts";
import { listenOrExplain } from "./http/listen-failure.ts";
import { createListener } from "./http/listener.ts";
import { IDLE_S } from "./http/patience.ts";
import { KEY_REQUESTS, NETWORK_REQUESTS, USER_REQUESTS } from "./http/request-rate.ts";
import { type RootLog } from "./platform/log.ts";
import { gauge } from "./platform/metrics.ts";
import { createStops, endsWithin } from "./platform/stops.ts";
import { VERSION } from "./version.ts";
import { createFeatures } from "./features.ts";
import { openGround } from "./ground.ts";

export interface App {
  /** Where it listens, such as `http://127.0.0.1:3000`. */
  url: string;
  port: number;
  api: Api;
  /**
   * Reads the certificate again, for connections from now on. Rejects with a `ConfigError`, and goes on
   * with the one there is, when it cannot be used.
   */
  renewCertificate(): Promise<void>;
  /** Loads now what the first text would wait for. */
  warm(): void;
  /** Lets everything finish that was begun, within the configured time. Never rejects. */
  stop(): Promise<void>;
}

/** Guests' ids are above every account's and below what JSON numbers hold exactly. */
const GUEST_ID_MIN = 2 ** 40;
const GUEST_ID_MAX = 2 ** 47;
/** Bun cuts bodies here, unasked; every route has a limit of its own below this. */
const READ_BYTES_MAX = 2 * UPLOAD_BODY_BYTES_MAX;
/** Sockets are told first; what HTTP requests are under way get this before they are cut. */
const REQUESTS_MS = 1_000;
/** Sockets and requests are most of a stop; what they leave is for everything behind them. */
const LISTENER_SHARE = 0.85;

/** Builds the whole house, listens, and knows how to take it down again. */
export async function startApp(config: Config, log: RootLog): Promise<App> {
  let isDraining = false;
  const stops = createStops({ withinMs: config.shutdownTimeoutMs, log: log.part("main") });

  const warnOfDates = (certificate: Certificate | null): void => {
    const why = certificate === null ? null : whyNotBelieved(certificate, Date.now());
    if (why !== null) log.warn({ path: config.tls?.certPath }, `TLS_CERT: ${why}`);
  };

  // Before anything is opened: a file that is wrong stops the start.
  const publicSources = await readSources(config.publicSources);
  const tls = config.tls === null ? null : await readCertificate(config.tls);
  warnOfDates(tls);
  try {
    const ground = await openGround(config, log, stops.add);
    const { traces, database, recognition, texts, watched, restarts, bus, isRedisThere } = ground;
    const { tokens, keys, proxies, networkOf, gateway, count, newId } = ground;
    const { chat, transcription, topics, lookup, accounts, assistant, inference } = createFeatures({
      ground,
      publicSources,
      publish: (topic, text) => listener?.publish(topic, text),
      draining: () => isDraining,
      onStop: stops.add,
    });

    const guestId = (): number => randomInt(GUEST_ID_MIN, GUEST_ID_MAX);
    const health: HealthDependencies = {
      parts: {
        database: () => {
          database.check();
          return database.isWritable();
        },
        redis: isRedisThere,
        speech: () => recognition?.ready() ?? null,
        text: texts.ready,
      },
      draining: () => isDraining,
    };
    const counts = createHttpCounts();
    const api = createApi({
      log: log.part("http"),
      version: VERSION,
      basePath: config.basePath,
      identify: createIdentify({
        auth: config.auth,
        tokens,
        keys,
        requests: count("user requests", USER_REQUESTS),
        guestId,
      }),
      origin: config,
      pages: {
        loadWeb: async () => (await import("./web/built.ts")).built,
        auth: config.auth,
        isRegistrationOpen: config.isRegistrationOpen,
        basePath: config.basePath,
      },
      health,
      counts,
      requestId: { log, proxies, newId },
      traces,
      metrics: {
        measures: [
          healthMeasure(health),
          watched.measure,
          counts.measure,
          gateway.measure,
          chat.measure,
          transcription.measure,
          restarts.measure,
          () => [
            gauge("earshot_text_queued", "Texts that wait for a thread.", texts.queued()),
            gauge(
              "earshot_redis_up",
              "1 when Redis answers and other processes are heard; not told without Redis.",
              isRedisThere() === null ? null : Number(isRedisThere()),
            ),
          ],
          topics.measure,
          database.measure,
          bus.measure,
          () => inference.measure(),
          lookup.measure,
        ],
      },
      requestRate: {
        networkOf,
        keys,
        requests: count("network requests", NETWORK_REQUESTS),
        keyRequests: count("key requests", KEY_REQUESTS),
      },
      accounts: { ...accounts.routes, keys, networkOf },
      chat: { gateway, ...chat.routes },
      transcription: { gateway, ...transcription.routes },
      files: transcription.files,
      topics: topics.routes,
      lookup: lookup.routes,
      assistant: assistant.routes,
    });
    const listener = createListener<Certificate | null>({
      open: (port, certificate) => {
        listenOrExplain({ host: config.host, port }, () =>
          api.listen({
            hostname: config.host,
            port,
            reusePort: config.portShared,
            maxRequestBodySize: READ_BYTES_MAX,
            idleTimeout: IDLE_S,
            websocket: gateway.websocket,
            development: false,
            ...(certificate !== null && { tls: { cert: certificate.cert, key: certificate.key } }),
          }),
        );
        if (api.server === null) throw new Error("the server did not start");
        return api.server;
      },
      port: config.port,
      tls,
      isShared: config.portShared,
    });
    const stopListening = async (withinMs: number): Promise<void> => {
      const endsAt = performance.now() + withinMs;
      isDraining = true;
      topics.closeEvents();
      inference.close();
      const stopped = listener.stop();
      await gateway.stop(Math.min(withinMs / 2, config.shutdownTimeoutMs / 3), withinMs);
      await endsWithin(stopped, Math.min(REQUESTS_MS, Math.max(0, endsAt - performance.now())));
      await listener.cut();
    };
    stops.add(stopListening, { part: "sockets and requests", share: LISTENER_SHARE });

    const name = config.host.includes(":") ? `[${config.host}]` : config.host;
    const url = `http${tls === null ? "" : "s"}://${name}:${listener.port}${config.basePath}`;
    const renewCertificate = async (): Promise<void> => {
      if (config.tls === null) return;
      const certificate = await readCertificate(config.tls);
      listener.renew(certificate);
      warnOfDates(certificate);
    };
    return { url, port: listener.port, api, renewCertificate, warm: texts.warm, stop: stops.run };
  } catch (error) {
    await stops.run();
    throw error;
  }
}
