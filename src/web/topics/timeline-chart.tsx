import { useSignal } from "@preact/signals";
import { type Column, ticksOf } from "./timeline-days.ts";
import { counted } from "../parts/numbers.ts";

const GAP = 0.2;
const LABELS = 5;
const dates = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
const short = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  timeZone: "UTC",
});

/** A day in words; days are UTC. */
const dateText = (day: string): string => dates.format(new Date(day));

/** A chart of columns; the figure of one is read by pointing at it, or with the arrow keys. */
export function TimelineChart({ columns, name }: { columns: readonly Column[]; name: string }) {
  const chosen = useSignal(columns.length - 1);
  const at = Math.min(chosen.value, columns.length - 1);
  const column = columns[at];
  const ticks = ticksOf(Math.max(...columns.map(({ count }) => count)));
  const top = ticks.at(-1) ?? 1;
  const choose = (next: number): void => {
    chosen.value = Math.max(0, Math.min(columns.length - 1, next));
  };
  const point = ({ currentTarget, clientX }: PointerEvent): void => {
    const { left, width } = (currentTarget as Element).getBoundingClientRect();
    choose(Math.floor(((clientX - left) / width) * columns.length));
  };
  return (
    <figure class="chart">
      <figcaption class="chart-figure number" aria-hidden="true">
        {column !== undefined && columnText(column)}
      </figcaption>
      <div class="chart-y small muted" aria-hidden="true">
        {ticks.map((tick) => (
          <span key={tick} style={{ "--at": tick / top }}>
            {tick.toLocaleString()}
          </span>
        ))}
      </div>
      <div
        class="chart-plot"
        role="slider"
        tabIndex={0}
        aria-label={`${name} over time`}
        aria-valuemin={0}
        aria-valuemax={columns.length - 1}
        aria-valuenow={at}
        aria-valuetext={column === undefined ? "" : columnText(column)}
        onPointerMove={point}
        onPointerDown={point}
        onKeyDown={(event) => {
          const next = nextOf(event.key, at, columns.length);
          if (next === null) return;
          event.preventDefault();
          choose(next);
        }}
      >
        {ticks.map((tick) => (
          <span key={tick} class="grid-line" style={{ "--at": tick / top }} />
        ))}
        <svg viewBox={`0 0 ${columns.length} 1`} preserveAspectRatio="none" aria-hidden="true">
          {columns.map(({ day, count }, place) => (
            <rect
              key={day}
              class={place === at ? "chosen" : undefined}
              x={place + GAP / 2}
              y={1 - count / top}
              width={1 - GAP}
              height={count / top}
            />
          ))}
        </svg>
      </div>
      <div class="chart-x small muted" aria-hidden="true">
        {placesOf(columns.length).map((place) => (
          <span key={place} style={{ "--at": (place + 0.5) / columns.length }}>
            {short.format(new Date(columns[place]?.day ?? 0))}
          </span>
        ))}
      </div>
    </figure>
  );
}

/** Such as `3 Mar 2026: 12 posts`. */
function columnText({ day, last, count }: Column): string {
  return `${spanText({ day, last })}: ${counted(count, "post")}`;
}

export function spanText({ day, last }: Pick<Column, "day" | "last">): string {
  return day === last ? dateText(day) : `${dateText(day)} to ${dateText(last)}`;
}

/** Some of so many columns at even distances, the first and the last among them. */
function placesOf(columns: number): number[] {
  const many = Math.min(LABELS, columns);
  const step = many < 2 ? 0 : (columns - 1) / (many - 1);
  return Array.from({ length: many }, (_, at) => Math.round(at * step));
}

function nextOf(key: string, at: number, many: number): number | null {
  if (key === "ArrowRight" || key === "ArrowUp") return at + 1;
  if (key === "ArrowLeft" || key === "ArrowDown") return at - 1;
  if (key === "PageUp") return at + 7;
  if (key === "PageDown") return at - 7;
  if (key === "Home") return 0;
  return key === "End" ? many - 1 : null;
}
