import type { Server } from "bun";
import { Elysia } from "elysia";
import type { RootLog } from "../platform/log.ts";
import type { Span, Traces } from "../platform/traces.ts";
import { whenOver } from "../platform/whole-answer.ts";
import type { TrustedProxies } from "./proxies.ts";

export interface RequestSpansDependencies {
  traces: Traces;
  /** Theirs are the only requests that go on with a trace of somebody else. */
  proxies: Pick<TrustedProxies, "isTrusted">;
  /** Knows what the request is called. */
  log: Pick<RootLog, "scope">;
}

type Handle = (request: Request) => unknown;

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"];
/** For methods that nobody knows; there would be as many as somebody makes up. */
const OTHER_METHOD = "_OTHER";
const PARENT_HEADER = "traceparent";
const SWITCHING_PROTOCOLS = 101;
/** What is answered where nothing was. */
const SERVER_ERROR = 500;
const EVENTS_TYPE = "text/event-stream";
/** A path's part that names nobody: a number, or a random id. */
const ID = /^(?:\d+|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})$/i;
/** Where the path of an address begins at the earliest: behind `http://` and a host. */
const PATH_AT = 8;

/**
 * A server span around each request, up to the end of its answer where that is a stream of events
 * (OpenTelemetry's semantic conventions for HTTP servers). Without traces it is nothing.
 */
export function requestSpans({ traces, proxies, log }: RequestSpansDependencies) {
  const plugin = new Elysia({ name: "request spans" });
  if (!traces.isOn) return plugin;
  /** Which route a request has found. */
  const routes = new WeakMap<Request, string>();
  const note = (request: Request, route: string | undefined): void => {
    if (route !== undefined && route !== "") routes.set(request, route);
  };
  let server: Server<unknown> | null = null;

  const parentOf = (request: Request): string | null => {
    const parent = request.headers.get(PARENT_HEADER);
    if (parent === null) return null;
    const address = server?.requestIP(request)?.address ?? "";
    return proxies.isTrusted(address) ? parent : null;
  };

  const finish = (span: Span, request: Request, status: number): void => {
    if (!span.isKept) return;
    const route = routes.get(request) ?? null;
    const method = methodOf(request);
    if (route !== null) span.rename(`${method} ${route}`);
    span.set({
      "http.route": route,
      "http.response.status_code": status,
      "url.path": route === null ? null : plainPath(pathOf(request.url), route),
      "earshot.request_id": log.scope()?.request ?? null,
    });
    if (status >= 500) span.fail(String(status));
  };

  const answered = (span: Span, request: Request, answer: unknown): unknown => {
    const isAnswer = answer instanceof Response;
    finish(span, request, isSocket(request, answer) ? SWITCHING_PROTOCOLS : statusOf(answer));
    const isStream = isAnswer && answer.headers.get("content-type")?.startsWith(EVENTS_TYPE);
    if (isStream === true) return whenOver(answer, () => span.end());
    span.end();
    return answer;
  };

  plugin
    .onStart((app) => void (server = app.server))
    .onTransform({ as: "global" }, ({ request, route }) => note(request, route))
    .onError({ as: "global" }, ({ request, route }) => note(request, route))
    .wrap((handle: Handle) => (request: Request) => {
      const method = methodOf(request);
      const span = traces.begin({
        name: method === OTHER_METHOD ? "HTTP" : method,
        kind: "server",
        isRoot: true,
        parent: parentOf(request),
        attributes: {
          "http.request.method": method,
          "url.scheme": request.url.slice(0, request.url.indexOf(":")),
        },
      });
      const answer = traces.within(span, handle, request);
      if (!(answer instanceof Promise)) return answered(span, request, answer);
      return answer.then(
        (one: unknown) => answered(span, request, one),
        (error: unknown) => {
          finish(span, request, SERVER_ERROR);
          span.end();
          throw error;
        },
      );
    });
  return plugin;
}

function methodOf({ method }: Request): string {
  return METHODS.includes(method) ? method : OTHER_METHOD;
}

/** Whether it became a socket: what is answered then goes nowhere, and says nothing. */
function isSocket({ headers }: Request, answer: unknown): boolean {
  if (headers.get("upgrade") === null) return false;
  return !(answer instanceof Response) || (answer.ok && !answer.headers.has("content-type"));
}

function statusOf(answer: unknown): number {
  return answer instanceof Response ? answer.status : SERVER_ERROR;
}

/** Without the query, which may hold a token. */
function pathOf(url: string): string {
  const path = url.slice(url.indexOf("/", PATH_AT));
  const query = path.search(/[?#]/);
  return query < 0 ? path : path.slice(0, query);
}

/** A path whose parts that somebody may have named are those of its route. */
function plainPath(path: string, route: string): string {
  if (!route.includes(":")) return route;
  const parts = path.split("/");
  const named = route.split("/");
  return named
    .map((name, at) => {
      const part = parts[at] ?? "";
      return name.startsWith(":") && ID.test(part) ? part : name;
    })
    .join("/");
}
