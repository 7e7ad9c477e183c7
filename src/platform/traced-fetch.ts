import { type Traces, errorType } from "./traces.ts";
import { whenOver } from "./whole-answer.ts";

type Fetch = (...request: Parameters<typeof fetch>) => Promise<Response>;

/**
 * `send` with a client span around each request, up to the end of its answer (OpenTelemetry's semantic
 * conventions for HTTP clients). The other side is told nothing of the trace: it is somebody else's.
 */
export function tracedFetch(traces: Pick<Traces, "isOn" | "begin" | "within">, send: Fetch): Fetch {
  if (!traces.isOn) return send;
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : String(input));
    // The official client tries out how fetching works with an address that leads nowhere.
    if (!url.protocol.startsWith("http")) return send(input, init);
    const method = init?.method ?? (input instanceof Request ? input.method : "GET");
    const span = traces.begin({
      name: method,
      kind: "client",
      attributes: { "http.request.method": method, ...serverOf(url), "url.full": placeOf(url) },
    });
    const fail = (error: unknown): void => {
      if (error !== null) span.fail(errorType(error));
      span.end();
    };
    try {
      const response = await traces.within(span, () => send(input, init), null);
      span.set({ "http.response.status_code": response.status });
      if (response.status >= 400) span.fail(String(response.status));
      return whenOver(response, fail);
    } catch (error) {
      fail(error);
      throw error;
    }
  };
}

/** Which server an address is of. */
export function serverOf({ hostname, port, protocol }: URL) {
  const usual = protocol === "https:" ? 443 : 80;
  return { "server.address": hostname, "server.port": port === "" ? usual : Number(port) };
}

/** An address without what may be secret in it: who asks, and what for. */
function placeOf({ origin, pathname }: URL): string {
  return origin + pathname;
}
