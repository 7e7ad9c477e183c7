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
  /** What every route is served below; empty for nothing. */
  basePath: string;
  /** What routes refer to by name, the sockets' frames (`x-frames`) among them. */
  schemas: Record<string, object>;
}

interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
}

interface Operation {
  description?: string;
  parameters?: Parameter[];
  requestBody?: Described;
  responses?: Record<string, Described>;
  [ENTRY]?: Entry;
}

interface Parameter {
  in: string;
  name: string;
  required?: boolean;
  description?: string;
  schema?: object;
}

interface Described {
  description?: string;
  content?: Record<string, object>;
}

/** The types call every HTML import a bundle; as `text` it is a string. */
const text = page as unknown as string;
const YEAR_S = 31_536_000;

/** `/docs` and `/docs/json`, with every script and style from the program itself. */
export function docs({ routes, version, basePath, schemas }: DocsDependencies) {
  let described: Promise<OpenApi> | null = null;
  const asset = (path: string, type: string): Response =>
    new Response(Bun.file(path), {
      headers: { "content-type": type, "cache-control": `public, max-age=${YEAR_S}, immutable` },
    });
  const hidden = { detail: { hide: true } };
  return new Elysia({ name: "docs" })
    .get("/docs", () => new Response(text.replaceAll("{version}", version), HTML), hidden)
    .get("/docs/json", () => (described ??= describe(routes, version, basePath, schemas)), hidden)
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
  basePath: string,
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
      ...(basePath !== "" && { servers: [{ url: basePath }] }),
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
      tellCommon(operation);
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

/** What everyone may say of themselves where people come in. */
const STATED_USER: Parameter = {
  in: "query",
  name: "user_id",
  required: false,
  description: "one's own number, else 403; with AUTH=open the number of a guest without a token",
  schema: { type: "integer", minimum: 0 },
};

/** Says of a guarded route who gets in, and what the guard answers to others. */
function tellEntry(operation: Operation): void {
  const { [ENTRY]: entry, parameters = [] } = operation;
  if (entry === undefined) return;
  delete operation[ENTRY];
  operation.description = [entry.who, operation.description].filter(Boolean).join(" ");
  const isStated = parameters.some(({ name }) => name === STATED_USER.name);
  if (entry.isPerson && !isStated) operation.parameters = [...parameters, STATED_USER];
  operation.responses = {
    ...operation.responses,
    401: answer("nobody the server knows: no token or key, or a wrong one"),
    403: answer("somebody who may not do this"),
  };
}

/** Says what is answered wherever there is something to be wrong; a route's own words go first. */
function tellCommon(operation: Operation): void {
  const { parameters = [], requestBody, responses } = operation;
  const isDescribed = parameters.length > 0 || requestBody !== undefined;
  operation.responses = {
    ...(requestBody !== undefined && {
      400: answer("the body is no JSON"),
      408: answer("the body comes too slowly"),
      413: answer("the body is too large"),
    }),
    ...(isDescribed && { 422: answer("the request is not as described") }),
    ...responses,
    429: answer("too many requests; `Retry-After` says how long to wait"),
  };
}

function answer(description: string): Described {
  return { ...problemAnswer, description };
}
