import type { Static } from "elysia";
import type { publicationSchema, topicSchema } from "../../features/topics/model.ts";
import type { Place } from "../router.ts";

export type Topic = Static<typeof topicSchema>;
export type Publication = Static<typeof publicationSchema>;
export type Label = Topic["label"];

export const KINDS: Readonly<Record<Label, { one: string; many: string }>> = {
  PER: { one: "person", many: "People" },
  ORG: { one: "organisation", many: "Organisations" },
  LOC: { one: "place", many: "Places" },
};

/** How far back a period goes, in days. */
export const PERIODS = { day: 1, week: 7, month: 30 } as const;
export type Period = keyof typeof PERIODS | "own" | "all";

/** What somebody wants to see, as the address says it. */
export interface Wishes {
  label: Label | null;
  q: string;
  period: Period;
  /** Days such as 2026-01-31 of a period of one's own; empty where it is open. */
  since: string;
  until: string;
  sort: "count" | "lift";
  shown: "bars" | "words";
  /** The topic that is looked at over time. */
  topic: { name: string; label: Label } | null;
}

const DAY_MS = 86_400_000;

/** Reads what an address says; what it says wrongly is left out. */
export function readWishes(query: URLSearchParams): Wishes {
  const [since, until] = [dayIn(query, "since"), dayIn(query, "until")];
  const period = query.get("period") ?? "";
  const name = query.get("topic") ?? "";
  const kind = labelIn(query, "kind");
  return {
    label: labelIn(query, "label"),
    q: query.get("q") ?? "",
    period: periodOf(period, since !== "" || until !== ""),
    since,
    until,
    sort: query.get("sort") === "lift" ? "lift" : "count",
    shown: query.get("show") === "words" ? "words" : "bars",
    topic: name === "" || kind === null ? null : { name, label: kind },
  };
}

/** The days that a period has, as the server is asked for them; days are UTC. */
export function daysOf(
  { period, since, until }: Pick<Wishes, "period" | "since" | "until">,
  now = Date.now(),
): { since?: string; until?: string } {
  if (period === "all") return {};
  if (period === "own") return { ...(since && { since }), ...(until && { until }) };
  return { since: new Date(now - PERIODS[period] * DAY_MS).toISOString().slice(0, 10) };
}

/** The address of a place when some of its query changes; null takes a field away. */
export function changed(
  { path, query }: Place,
  changes: Readonly<Record<string, string | null>>,
): string {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") next.delete(name);
    else next.set(name, value);
  }
  const address = `/${path.map(encodeURIComponent).join("/")}`;
  return next.size === 0 ? address : `${address}?${next}`;
}

export const publicationAddress = (name: string): string => `/topics/${encodeURIComponent(name)}`;

function labelIn(query: URLSearchParams, field: string): Label | null {
  const label = query.get(field) ?? "";
  return label === "PER" || label === "ORG" || label === "LOC" ? label : null;
}

function dayIn(query: URLSearchParams, field: string): string {
  const day = query.get(field) ?? "";
  return /^\d{4}-\d{2}-\d{2}$/.test(day) ? day : "";
}

function periodOf(period: string, hasDays: boolean): Period {
  if (period === "day" || period === "week" || period === "month") return period;
  return hasDays || period === "own" ? "own" : "all";
}
