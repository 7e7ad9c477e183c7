import { type FieldError, Problem } from "../../http/problem.ts";
import { OWN_NAMES, type PathTemplate, type Source } from "./model.ts";
import { valueOf } from "./values.ts";

/**
 * The address that a question stands for. `asked` is the caller's query: `path` names the template
 * where a source has several, everything else is a parameter. The same question in another order or
 * spelling gives the same address. Throws `invalid`, which names parameters and no values.
 */
export function addressOf(source: Source, asked: URLSearchParams): URL {
  const template = templateOf(source, asked.get("path"));
  const values = readValues(template, asked);
  const path = template.segments
    .map((one) => ("text" in one ? one.text : encodeURIComponent(values.get(one.parameter) ?? "")))
    .join("/");
  const inPath = new Set(template.segments.flatMap((one) => ("text" in one ? [] : one.parameter)));
  const query = [...template.fixed, ...[...values].filter(([name]) => !inPath.has(name))]
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join("&");
  const url = new URL(`${source.origin}/${path}${query === "" ? "" : `?${query}`}`);
  // What the parser understands must be what was meant, down to the last slash.
  if (url.origin !== source.origin || url.pathname !== `/${path}`) throw wrong([]);
  return url;
}

/** Whether a redirect's goal is something that may be asked of the source. */
export function isAllowedGoal(source: Source, goal: URL): boolean {
  if (goal.origin !== source.origin || goal.username !== "" || goal.password !== "") return false;
  const parts = goal.pathname.slice(1).split("/");
  return [...source.paths.values()].some(
    ({ segments, parameters }) =>
      segments.length === parts.length &&
      segments.every((one, at) => {
        const part = parts[at] ?? "";
        if ("text" in one) return one.text === part;
        const parameter = parameters.get(one.parameter);
        const value = decoded(part);
        return parameter !== undefined && value !== null && valueOf(parameter, value) !== null;
      }),
  );
}

function templateOf({ name, paths }: Source, asked: string | null): PathTemplate {
  const [first] = paths.values();
  const template = asked === null ? first : paths.get(asked);
  if (template !== undefined) return template;
  throw new Problem("invalid", `${name} has these paths: ${[...paths.keys()].join(", ")}`, {
    errors: [{ path: "/path", message: "is none of them" }],
  });
}

function readValues(
  { parameters }: PathTemplate,
  asked: URLSearchParams,
): ReadonlyMap<string, string> {
  const errors: FieldError[] = [];
  const values = new Map<string, string>();
  const unknown = [...new Set(asked.keys())].filter(
    (name) => !parameters.has(name) && !OWN_NAMES.includes(name),
  );
  if (unknown.length > 0) {
    const known = [...parameters.keys()].join(", ");
    errors.push({ path: "", message: `only these are known: ${known}` });
  }
  for (const [name, parameter] of parameters) {
    const given = asked.getAll(name);
    const [value = parameter.fallback] = given;
    if (value === null) {
      if (parameter.isRequired) errors.push({ path: `/${name}`, message: "is needed" });
      continue;
    }
    const fitting = given.length > 1 ? null : valueOf(parameter, value);
    if (fitting === null) errors.push({ path: `/${name}`, message: "is not as described" });
    else values.set(name, fitting);
  }
  if (errors.length > 0) throw wrong(errors);
  return values;
}

function wrong(errors: FieldError[]): Problem {
  return new Problem("invalid", "The query is not what this source may be asked", { errors });
}

function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}
