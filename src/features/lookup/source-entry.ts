import { isIP } from "node:net";
import { VERSION } from "../../version.ts";
import { reachOf } from "./addresses.ts";
import {
  OWN_NAMES,
  type Parameter,
  type PathTemplate,
  type Segment,
  type Source,
} from "./model.ts";
import {
  type ParameterEntry,
  type PathEntry,
  type SourceEntry,
  SourceMistake,
} from "./source-schema.ts";
import { valueOf } from "./values.ts";

/** What a browser shows as text or data and never as a page that could run something. */
const TYPES = [
  "application/json",
  "application/geo+json",
  "application/ld+json",
  "text/plain",
  "text/csv",
];
/** Headers that belong to the connection or are this server's to send. */
const HEADERS_REFUSED =
  /^(?:host|connection|keep-alive|content-.*|transfer-encoding|te|trailer|upgrade|expect|proxy-.*|accept-encoding|if-.*|range)$/;
const TEXT_CHARACTERS_MAX = 100;
const PATHS_MAX = 20;

const DAY_S = 86_400;
const DEFAULTS = {
  ttl_s: 3_600,
  missing_ttl_s: 300,
  stale_s: DAY_S,
  failed_ttl_s: 5,
  timeout_ms: 5_000,
  bytes_max: 256 * 1024,
  calls_max: 8,
};

/** One source of the file. Throws `SourceMistake`, which names the source and never a secret. */
export function readSource(entry: SourceEntry): Source {
  const fail = (what: string): never => {
    throw new SourceMistake(`${JSON.stringify(entry.name)}: ${what}`);
  };
  if (!/^[a-z0-9][a-z0-9_-]*$/.test(entry.name)) {
    fail("name must be lower-case letters, digits, - and _");
  }
  const base = readBase(entry, fail);
  const types = entry.content_types ?? ["application/json"];
  const refused = types.find((type) => !TYPES.includes(type));
  if (refused !== undefined) {
    fail(`content_types may be ${TYPES.join(", ")}, not ${JSON.stringify(refused)}`);
  }
  const names = Object.keys(entry.paths);
  if (names.length === 0 || names.length > PATHS_MAX) {
    fail(`paths must hold 1 to ${PATHS_MAX} templates`);
  }
  const wishes = { ...DEFAULTS, ...entry };
  return {
    name: entry.name,
    origin: base.origin,
    paths: new Map(
      Object.entries(entry.paths).map(([name, path]) => [
        name,
        readPath(path, base.pathname, (what) => fail(`paths.${name}: ${what}`)),
      ]),
    ),
    headers: readHeaders(entry, types, fail),
    types,
    ttlMs: wishes.ttl_s * 1000,
    missingMs: wishes.missing_ttl_s * 1000,
    staleMs: wishes.stale_s * 1000,
    failedMs: wishes.failed_ttl_s * 1000,
    timeoutMs: wishes.timeout_ms,
    bytesMax: wishes.bytes_max,
    callsMax: wishes.calls_max,
    isPrivate: entry.private ?? false,
  };
}

type Fail = (what: string) => never;

/**
 * The base address must be written exactly as it is understood, so that nothing hides in it: no name
 * and password, no number that is an address in disguise, no letters of other scripts that look alike.
 */
function readBase({ base_url, private: isPrivate, allow_http }: SourceEntry, fail: Fail): URL {
  const url = URL.parse(base_url) ?? fail("base_url must be such as https://api.example.org");
  if (url.protocol === "http:" && allow_http !== true) {
    fail('base_url must be https; for plain http say "allow_http": true');
  }
  if (!/^https?:$/.test(url.protocol)) fail("base_url must be https");
  if (url.username !== "" || url.password !== "") fail("base_url must hold no name and password");
  const written = base_url.replace(/\/$/, "");
  const understood = url.href.replace(/\/$/, "");
  if (written !== understood || /[?#%]/.test(base_url)) {
    fail(`base_url must be written plainly, as ${url.origin}${url.pathname.replace(/\/$/, "")}`);
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (host.endsWith(".")) fail("base_url must not end its host in a dot");
  if (isIP(host) !== 0) {
    const reach = reachOf(host);
    if (reach === "never") fail("base_url leads to an address that is never asked");
    if (reach === "private" && isPrivate !== true) {
      fail('base_url leads to a private address; if that is meant say "private": true');
    }
  }
  return url;
}

function readPath(entry: PathEntry, basePath: string, fail: Fail): PathTemplate {
  const { template } = entry;
  if (!template.startsWith("/") || !/^[!$&'()*+,/:;=@\w.~{}-]+$/.test(template)) {
    fail("template must begin with / and hold plain characters and {parameters}");
  }
  const whole = `${basePath.replace(/\/$/, "")}${template}`;
  const segments = whole
    .slice(1)
    .split("/")
    .map((text) => readSegment(text, fail));
  const names = Object.keys(entry.parameters ?? {});
  const own = names.find((name) => OWN_NAMES.includes(name) || !/^[\w.-]{1,60}$/.test(name));
  if (own !== undefined) fail(`a parameter may not be called ${JSON.stringify(own)}`);
  const unknown = segments.find((one) => "parameter" in one && !names.includes(one.parameter));
  if (unknown !== undefined && "parameter" in unknown) {
    fail(`{${unknown.parameter}} is not among the parameters`);
  }
  const fixed = Object.entries(entry.fixed ?? {});
  const twice = fixed.find(([name]) => names.includes(name));
  if (twice !== undefined) fail(`${JSON.stringify(twice[0])} is both fixed and a parameter`);
  const parameters = new Map(
    Object.entries(entry.parameters ?? {}).map(([name, parameter]) => {
      const isSegment = segments.some((one) => "parameter" in one && one.parameter === name);
      return [name, readParameter(parameter, isSegment, (what) => fail(`${name}: ${what}`))];
    }),
  );
  return { segments, parameters, fixed };
}

function readSegment(text: string, fail: Fail): Segment {
  const name = /^\{([\w.-]+)\}$/.exec(text)?.[1];
  if (name !== undefined) return { parameter: name };
  if (/[{}]/.test(text)) fail("a {parameter} must fill the place between two slashes");
  if (text === "." || text === "..") fail("template must not hold . or ..");
  return { text };
}

function readParameter(entry: ParameterEntry, isSegment: boolean, fail: Fail): Parameter {
  const { number, pattern, default: fallback = null } = entry;
  const isRequired = entry.required ?? fallback === null;
  if (isSegment && !isRequired && fallback === null) fail("a part of the path cannot be left out");
  if ((number === undefined) === (pattern === undefined))
    fail("needs either a pattern or a number");
  const parameter: Parameter =
    number === undefined
      ? {
          kind: "text",
          pattern: readPattern(pattern ?? "", fail),
          charactersMax: entry.characters_max ?? TEXT_CHARACTERS_MAX,
          isLowered: entry.lower_case ?? false,
          space: entry.space ?? null,
          fallback,
          isRequired,
        }
      : { kind: "number", decimals: 0, ...number, fallback, isRequired };
  if (fallback !== null && valueOf(parameter, fallback) === null) fail("default does not fit");
  return parameter;
}

function readPattern(pattern: string, fail: Fail): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`, "u");
  } catch {
    return fail("pattern is not a regular expression");
  }
}

function readHeaders(
  { headers = {} }: SourceEntry,
  types: readonly string[],
  fail: Fail,
): Record<string, string> {
  const own = { "user-agent": `Earshot/${VERSION}`, accept: types.join(", ") };
  const named = Object.entries(headers).map(([name, value]) => {
    const lower = name.toLowerCase();
    if (!/^[a-z0-9-]+$/.test(lower) || HEADERS_REFUSED.test(lower)) {
      fail(`the header ${JSON.stringify(name)} may not be set`);
    }
    if (!/^[ -~]*$/.test(value)) fail(`the header ${lower} must be plain characters in one line`);
    return [lower, value] as const;
  });
  return { ...own, ...Object.fromEntries(named) };
}
