import { type App, startApp } from "../app.ts";
import { readConfig } from "../config.ts";
import { ConfigError, quoted } from "../environment.ts";
import { ListenFailure } from "../http/listen-failure.ts";
import { DatabaseUnusable } from "../platform/database-failure.ts";
import { type Log, createLog, errorFields } from "../platform/log.ts";
import { EngineMissing } from "../speech/engine-missing.ts";
import { VERSION } from "../version.ts";

/** Signals this close together are one. */
const TWIN_SIGNALS_MS = 25;

/** Starts the server and runs it until a signal; a second signal ends it at once. */
export async function serve(args: string[]): Promise<number> {
  if (args.length > 0) {
    console.error("earshot serve takes no arguments; settings are environment variables");
    return 2;
  }
  let config;
  try {
    config = readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    return 2;
  }
  const log = createLog(config.logLevel);
  const main = log.part("main");
  process.on("unhandledRejection", (error) =>
    main.error(errorFields(error), "a promise had no owner"),
  );
  let hasFailed = false;
  const failure = Promise.withResolvers<string>();
  // What state it left nobody knows, so everything is stopped as at a signal.
  process.on("uncaughtException", (error) => {
    main.error(errorFields(error), "an error had no owner");
    hasFailed = true;
    failure.resolve("uncaughtException");
  });

  // Before the start, so that a signal in the middle of it is not lost.
  const signal = nextSignal();
  let app;
  try {
    app = await startApp(config, log);
  } catch (error) {
    if (error instanceof ConfigError) {
      console.error(error.message);
      return 2;
    }
    const outside = outsideReason(error);
    // Where in the program it happened helps with nothing that is outside of it.
    if (outside === null) main.error(errorFields(error), "the server could not start");
    console.error(
      `earshot could not start: ${outside ?? (error instanceof Error ? error.message : String(error))}`,
    );
    return 1;
  }
  main.info({ version: VERSION, url: app.url, auth: config.auth }, "listening");
  app.warm();
  // Without a certificate the signal ends the process, as it does by itself.
  if (config.tls !== null) process.on("SIGHUP", () => void renew(app, main));

  main.info({ signal: await Promise.race([signal, failure.promise]) }, "stopping");
  void endAtNextSignal();
  const isClean = await Promise.race([
    app.stop().then(() => true),
    Bun.sleep(config.shutdownTimeoutMs).then(() => false),
  ]);
  if (!isClean) main.error({}, "not everything stopped in time");
  main.info({}, "stopped");
  return isClean && !hasFailed ? 0 : 1;
}

/** What outside of the program keeps it from starting, by the setting that names it; null for a fault here. */
function outsideReason(error: unknown): string | null {
  if (error instanceof DatabaseUnusable) {
    return `DATABASE_URL: ${quoted(error.path)} cannot be used: ${error.message}`;
  }
  return error instanceof ListenFailure || error instanceof EngineMissing ? error.message : null;
}

/** Certificates are renewed every few weeks: sockets stay, and a file that is wrong changes nothing. */
async function renew(app: App, log: Log): Promise<void> {
  try {
    await app.renewCertificate();
    log.info({}, "new connections get the certificate that was read just now");
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof ListenFailure)) throw error;
    log.error({ error: error.message }, "the certificate is the one from before");
  }
}

/** One Ctrl-C comes twice when a runner above passes it on as well; a twin is no second wish. */
async function endAtNextSignal(): Promise<void> {
  const askedAt = performance.now();
  do {
    await nextSignal();
  } while (performance.now() - askedAt < TWIN_SIGNALS_MS);
  process.exit(1);
}

function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    const end = (name: string): void => {
      process.off("SIGTERM", end);
      process.off("SIGINT", end);
      resolve(name);
    };
    process.on("SIGTERM", end);
    process.on("SIGINT", end);
  });
}
