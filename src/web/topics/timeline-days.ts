/** Posts of one day, such as 2026-01-31. */
export interface DayCount {
  day: string;
  count: number;
}

/** A column of the chart: a day, or several when there are too many. */
export interface Column {
  /** Its first day. */
  day: string;
  /** Its last day; the same for a column of one day. */
  last: string;
  count: number;
}

/** More columns than this are too narrow to be told apart. */
const COLUMNS_MAX = 92;
const DAY_MS = 86_400_000;
const TICKS = 4;

/**
 * The columns of a chart over the days of `counts`, those without posts too, of one day, or of weeks
 * or longer when there are many. `since` and `until` say how far it goes where they are given.
 */
export function columnsOf(
  counts: readonly DayCount[],
  { since, until }: { since?: string; until?: string },
): Column[] {
  const days = counts.map(({ day }) => numberOf(day));
  const first = since === undefined ? days[0] : numberOf(since);
  const last = until === undefined ? days.at(-1) : numberOf(until);
  if (first === undefined || last === undefined || first > last) return [];
  const spans = [1, 7, 28, 91, 364];
  const whole = last - first + 1;
  const span = spans.find((each) => whole / each <= COLUMNS_MAX) ?? Math.ceil(whole / COLUMNS_MAX);
  const columns = Array.from({ length: Math.ceil(whole / span) }, (_, at) => ({
    day: dayOf(first + at * span),
    last: dayOf(Math.min(last, first + (at + 1) * span - 1)),
    count: 0,
  }));
  counts.forEach(({ count }, at) => {
    const column = columns[Math.floor(((days[at] ?? 0) - first) / span)];
    if (column !== undefined) column.count += count;
  });
  return columns;
}

/** Round figures from 0 to at least `most`, for an axis. */
export function ticksOf(most: number): number[] {
  const rough = Math.max(1, most / TICKS);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough) ?? rough;
  const ticks = Math.max(1, Math.ceil(most / step));
  return Array.from({ length: ticks + 1 }, (_, at) => at * step);
}

function numberOf(day: string): number {
  return Date.parse(`${day}T00:00Z`) / DAY_MS;
}

function dayOf(number: number): string {
  return new Date(number * DAY_MS).toISOString().slice(0, 10);
}
