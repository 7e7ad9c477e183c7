import { type AnyElysia, Elysia } from "elysia";
import bundle from "swagger-ui-dist/swagger-ui-bundle.js" with { type: "file" };
import style from "swagger-ui-dist/swagger-ui.css" with { type: "file" };
import starter from "./docs.page.js" with { type: "file" };
import page from "./docs.page.html" with { type: "text" };
import { ENTRY, type Entry } from "./entry.ts";
import { problemAnswer, problemSchema } from "./problem.ts";

export interface DocsDependencies {
  /** The finished routes that are to be described. */
  routes: AnyElysia;
  version: string;
  /** What routes refer to by name, the sockets' frames (`x-frames`) among them. */
  schemas: Record<string, object>;
}

interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
}

interface Operation {
  description?: string;
  parameters?: { in: string; name: string }[];
  requestBody?: Described;
  responses?: Record<string, Described>;
  [ENTRY]?: Entry;
}

interface Described {
  description?: string;
  content?: Record<string, object>;
}

/** The types call every HTML import a bundle; as `text` it is a string. */
const text = page as unknown as string;
const YEAR_S = 31_536_000;

/** `/docs` and `/docs/json`, with every script and style from the program itself. */
export function docs({ routes, version, schemas }: DocsDependencies) {
  let described: Promise<OpenApi> | null = null;
  const asset = (path: string, type: string): Response =>
    new Response(Bun.file(path), {
      headers: { "content-type": type, "cache-control": `public, max-age=${YEAR_S}, immutable` },
    });
  const hidden = { detail: { hide: true } };
  return new Elysia({ name: "docs" })
    .get("/docs", () => new Response(text.replaceAll("{version}", version), HTML), hidden)
    .get("/docs/json", () => (described ??= describe(routes, version, schemas)), hidden)
    .get("/docs/assets/:version/ui.js", () => asset(bundle, "text/javascript"), hidden)
    .get("/docs/assets/:version/ui.css", () => asset(style, "text/css"), hidden)
    .get("/docs/assets/:version/start.js", () => asset(starter, "text/javascript"), hidden);
}

const HTML = { headers: { "content-type": "text/html; charset=utf-8" } };

/**
 * The OpenAPI of the routes. The plugin also serves a page that loads scripts from elsewhere, so it
 * is asked here, behind closed doors, and only its description goes out.
 */
async function describe(
  routes: AnyElysia,
  version: string,
  schemas: Record<string, object>,
): Promise<OpenApi> {
  // Loaded when somebody reads it: that takes longer than the rest of a start.
  const { swagger } = await import("@elysiajs/swagger");
  const generator = swagger({
    path: "/docs",
    documentation: {
      info: {
        title: "Earshot",
        version,
        description: "Rooms, captions and topics for groups that talk.",
      },
      components: {
        securitySchemes: {
          bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
          key: { type: "apiKey", in: "header", name: "X-API-Key" },
        },
        // Plain JSON Schema: TypeBox's markers are symbols and do not reach the page.
        schemas: JSON.parse(JSON.stringify(schemas)),
      },
    },
  });
  const answer = await new Elysia()
    .use(routes)
    .use(generator)
    .handle(new Request("http://docs.localhost/docs/json"));
  const openApi = (await answer.json()) as OpenApi;
  for (const operations of Object.values(openApi.paths)) {
    for (const operation of Object.values(operations)) {
      onlyJson(operation);
      tellProblems(operation);
      tellEntry(operation);
    }
  }
  return openApi;
}

/** The plugin offers every body as form and as text as well; these routes take and give JSON. */
function onlyJson({ requestBody, responses }: Operation): void {
  for (const described of [requestBody, ...Object.values(responses ?? {})]) {
    const json = described?.content?.["application/json"];
    if (described !== undefined && json !== undefined)
      described.content = { "application/json": json };
  }
}

/** The plugin takes them for JSON like any other, and writes their fields out each time. */
function tellProblems({ responses = {} }: Operation): void {
  for (const [status, { description }] of Object.entries(responses)) {
    if (description === problemSchema.description) responses[status] = problemAnswer;
  }
}

/** Says of a guarded route who gets in, and what the guard answers to others. */
function tellEntry(operation: Operation): void {
  const { [ENTRY]: entry, parameters = [] } = operation;
  if (entry === undefined) return;
  delete operation[ENTRY];
  operation.description = [entry.who, operation.description].filter(Boolean).join(" ");
  // Whose number is stated must be one's own.
  const isStated = parameters.some((one) => one.in === "query" && one.name === "user_id");
  operation.responses = {
    ...operation.responses,
    401: {
      ...problemAnswer,
      description: "nobody the server knows: no token or key, or a wrong one",
    },
    ...((entry.isForbidding || isStated) && {
      403: { ...problemAnswer, description: "somebody who may not do this" },
    }),
    429: {
      ...problemAnswer,
      description: "too many requests; `Retry-After` says how long to wait",
    },
  };
}
