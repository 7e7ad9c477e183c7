// Starts the app with the settings in its environment, asks it something and says which files of
// OpenTelemetry were loaded by then. Started by the tests of traces.

import { startTestApp } from "./app.ts";

const { OTEL_EXPORTER_OTLP_ENDPOINT } = process.env;
const app = await startTestApp({
  OTEL_EXPORTER_OTLP_ENDPOINT,
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
});
await fetch(`${app.url}/healthz`);
const loaded = Object.keys(require.cache).filter((file) => /opentelemetry|traces\.otel/.test(file));
await app.stop();
process.stdout.write(`${loaded.length}\n`);
process.exit(0);
