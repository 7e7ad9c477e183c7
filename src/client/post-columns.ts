// What files of posts look like, for whatever sends them.

/** What columns are usually called, the likeliest first. */
const USUAL = {
  content: ["content", "text", "body", "title"],
  publication: ["publication", "source", "domain", "site"],
  id: ["external_id", "id"],
  published: [
    "published_at",
    "published",
    "created_at",
    "created",
    "created_utc",
    "date",
    "timestamp",
  ],
} as const;

/** What a post is made of. */
export type PostColumn = keyof typeof USUAL;

/** Until the year 5138 a number below this is of seconds, and above it of milliseconds. */
const SECONDS_MAX = 100_000_000_000;

/** The column that holds something by its usual names, whatever their case; null for none. */
export function usualColumn(names: readonly string[], column: PostColumn): string | null {
  const found = USUAL[column].map((usual) => names.find((name) => name.toLowerCase() === usual));
  return found.find((name) => name !== undefined) ?? null;
}

/** Unix milliseconds of a number of seconds or milliseconds. */
export function millisecondsOf(number: number): number {
  return Math.floor(number < SECONDS_MAX ? number * 1_000 : number);
}
