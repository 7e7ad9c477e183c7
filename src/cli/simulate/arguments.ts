import { parseArgs } from "node:util";
import type { ColumnWishes } from "./columns.ts";

export const SIMULATE_USAGE = `usage: earshot simulate [FILE|URL] [--url http://127.0.0.1:3000] [--key KEY] [--count N] [--seed N]
                        [--concurrency N] [--bulk] [--check] [--patience SECONDS]
                        [--content COLUMN] [--publication COLUMN] [--id COLUMN] [--published COLUMN]`;

export interface SimulateRequest {
  /** A file or a web address; null for posts that are made up. */
  source: string | null;
  columns: ColumnWishes;
  seed: number;
  /** Null for all there are. */
  count: number | null;
  /** Where the service is. */
  url: string;
  key: string | null;
  concurrency: number;
  isBulk: boolean;
  isChecked: boolean;
  patienceMs: number;
}

const SEED = 1;
const GENERATED_POSTS = 1_000;
const CONCURRENCY = 16;
const CONCURRENCY_MAX = 1_000;
const PATIENCE_S = 60;
const NUMBER_MAX = 2 ** 31 - 1;

/** Reads the command line; `keyOfUser` is that of the environment. Throws TypeError for what makes no sense. */
export function parseRequest(args: string[], keyOfUser: string | null): SimulateRequest {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      url: { type: "string", default: "http://127.0.0.1:3000" },
      key: { type: "string" },
      count: { type: "string" },
      seed: { type: "string" },
      concurrency: { type: "string" },
      patience: { type: "string" },
      bulk: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
      content: { type: "string" },
      publication: { type: "string" },
      id: { type: "string" },
      published: { type: "string" },
    },
  });
  const [source = null, ...others] = positionals;
  if (others.length > 0) throw new TypeError("one file or web address at a time");
  const { url, content, publication, id, published } = values;
  const columns = Object.fromEntries(
    Object.entries({ content, publication, id, published }).filter(([, name]) => name),
  );
  if (source === null && Object.keys(columns).length > 0) {
    throw new TypeError("columns are those of a file, and no file is given");
  }
  if (source !== null && values.seed !== undefined) {
    throw new TypeError("--seed is for posts that are made up, and a file is given");
  }
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? "")) {
    throw new TypeError("--url has to be a web address, such as http://127.0.0.1:3000");
  }
  return {
    source,
    columns,
    seed: wholeNumber("seed", values.seed, 0, NUMBER_MAX) ?? SEED,
    count:
      wholeNumber("count", values.count, 1, NUMBER_MAX) ??
      (source === null ? GENERATED_POSTS : null),
    url,
    key: values.key ?? (keyOfUser === "" ? null : keyOfUser),
    concurrency: wholeNumber("concurrency", values.concurrency, 1, CONCURRENCY_MAX) ?? CONCURRENCY,
    isBulk: values.bulk,
    isChecked: values.check,
    patienceMs: 1000 * (wholeNumber("patience", values.patience, 0, NUMBER_MAX) ?? PATIENCE_S),
  };
}

function wholeNumber(
  option: string,
  given: string | undefined,
  min: number,
  max: number,
): number | null {
  if (given === undefined) return null;
  const number = Number(given);
  if (/^\d+$/.test(given) && number >= min && number <= max) return number;
  throw new TypeError(`--${option} has to be a whole number from ${min} to ${max}`);
}
