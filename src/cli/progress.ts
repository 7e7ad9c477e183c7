/** Where a bar is drawn: `process.stderr`, or what a test puts in its place. */
export interface ProgressStream {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  write(text: string): unknown;
}

export interface ProgressOptions {
  /** What is being done: "downloading NAME". */
  label: string;
  /** In units of `unit`; null for as long as nobody knows. */
  total: number | null;
  /** `share` shows per cent only, `bytes` and `items` also what is done and how fast. */
  unit: "bytes" | "items" | "share";
  /** Whether the total is a guess, which then is said. */
  isEstimated?: boolean;
  stream: ProgressStream;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
}

/** How a long piece of work goes on: a bar on a terminal, a line at its start and end elsewhere. */
export interface Progress {
  /** `total` where it is known by now. */
  update(done: number, total?: number | null): void;
  /** Writes a line above the bar. */
  note(line: string): void;
  /** Ends the bar; `line` says how it went, null leaves it to others. */
  end(line: string | null): void;
}

const BAR_CELLS = 24;
const DRAW_MS = 100;
/** The rate is that of about the last so many milliseconds. */
const RATE_MS = 5_000;
/** Before this much time any rate is a guess. */
const GUESS_MS = 500;
const COLUMNS = 80;
const CLEAR_LINE = "\r\u001B[K";

/** Starts to show progress; work that was done before, such as a resumed part, is not its rate. */
export function createProgress(options: ProgressOptions): Progress {
  const { label, unit, stream, now, isEstimated = false } = options;
  const isTerminal = stream.isTTY === true;
  let { total } = options;
  let done = 0;
  let drawnAt: number | null = null;
  let isDrawn = false;
  const rate = createRate();

  if (!isTerminal) stream.write(`${label} …\n`);

  function draw(at: number): void {
    drawnAt = at;
    isDrawn = true;
    const columns = stream.columns ?? COLUMNS;
    const shown = figures(unit, done, total, rate.perSecond(), isEstimated);
    const parts = [label, barOf(done, total), ...shown];
    stream.write(CLEAR_LINE + parts.join("  ").slice(0, Math.max(1, columns - 1)));
  }

  return {
    update: (nowDone, nowTotal) => {
      done = nowDone;
      if (nowTotal !== undefined) total = nowTotal;
      const at = now();
      rate.add(done, at);
      if (isTerminal && (drawnAt === null || at - drawnAt >= DRAW_MS)) draw(at);
    },
    note: (line) => {
      stream.write(isDrawn ? `${CLEAR_LINE}${line}\n` : `${line}\n`);
      if (isDrawn) draw(now());
    },
    end: (line) => {
      if (isDrawn) stream.write(CLEAR_LINE);
      isDrawn = false;
      if (line !== null) stream.write(`${line}\n`);
    },
  };
}

/** A number of bytes as people read it: powers of 1000, as downloads and disks are sold. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  // 999.95 would be written as 1000.0.
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** Seconds as minutes and seconds, or hours, minutes and seconds. */
export function formatTime(seconds: number): string {
  const whole = Math.ceil(seconds);
  const parts = [Math.floor((whole % 3600) / 60), whole % 60];
  const hours = Math.floor(whole / 3600);
  if (hours > 0) parts.unshift(hours);
  return parts.map((part, index) => String(part).padStart(index === 0 ? 1 : 2, "0")).join(":");
}

function barOf(done: number, total: number | null): string {
  if (total === null) return "";
  const cells = Math.floor(BAR_CELLS * shareOf(done, total));
  return `[${"#".repeat(cells)}${"-".repeat(BAR_CELLS - cells)}]`;
}

function figures(
  unit: ProgressOptions["unit"],
  done: number,
  total: number | null,
  perSecond: number | null,
  isEstimated: boolean,
): string[] {
  const share = total === null ? [] : [`${Math.floor(100 * shareOf(done, total))} %`];
  const left =
    total === null || perSecond === null || perSecond <= 0
      ? []
      : [`${formatTime(Math.max(0, total - done) / perSecond)} left`];
  if (unit === "share") return [...share, ...left];
  const amount = unit === "bytes" ? formatBytes : (value: number) => String(Math.round(value));
  const about = isEstimated ? "about " : "";
  const amounts = total === null ? amount(done) : `${amount(done)} of ${about}${amount(total)}`;
  const speed = perSecond === null ? [] : [`${amount(Math.round(perSecond))}/s`];
  return [...share, amounts, ...speed, ...left];
}

function shareOf(done: number, total: number): number {
  return total <= 0 ? 1 : Math.min(1, done / total);
}

function createRate() {
  const samples: { done: number; at: number }[] = [];
  return {
    add: (done: number, at: number): void => {
      const [first] = samples;
      // Going back means that the work began anew.
      if (first !== undefined && done < first.done) samples.length = 0;
      const last = samples.at(-1);
      if (last === undefined || at - last.at >= DRAW_MS) samples.push({ done, at });
      while (samples.length > 2 && at - (samples[0]?.at ?? at) > RATE_MS) samples.shift();
    },
    perSecond: (): number | null => {
      const first = samples[0];
      const last = samples.at(-1);
      if (first === undefined || last === undefined || last.at - first.at < GUESS_MS) return null;
      return ((last.done - first.done) * 1000) / (last.at - first.at);
    },
  };
}
