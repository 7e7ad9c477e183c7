import { useEffect, useRef } from "preact/hooks";
import { useApp } from "../context.ts";
import { Icon } from "../parts/icon.tsx";
import { useLoaded } from "../parts/loaded.ts";
import { TimelineChart, spanText } from "./timeline-chart.tsx";
import { type DayCount, columnsOf } from "./timeline-days.ts";
import { topicId } from "./topic-lists.tsx";
import { counted } from "../parts/numbers.ts";
import { KINDS, type Label, changed } from "./wishes.ts";
import { Problem } from "../parts/problem.tsx";

interface TimelinePartProps {
  topic: { name: string; label: Label };
  publication: string | null;
  days: { since?: string; until?: string };
}

/** One topic over time. */
export function TimelinePart({ topic, publication, days }: TimelinePartProps) {
  const { api, router } = useApp();
  const heading = useRef<HTMLHeadingElement>(null);
  const asked = { topic: topic.name, label: topic.label, publication, ...days };
  const { value, error } = useLoaded(
    (signal) => api.get<DayCount[]>("/v1/topics/timeline", asked, signal),
    [JSON.stringify(asked)],
  );
  useEffect(() => {
    // A page that was opened here begins at its top.
    if (document.activeElement !== document.body) heading.current?.focus();
    // Whoever closes it goes on where it was opened.
    return () =>
      document.getElementById(topicId({ topic: topic.name, label: topic.label }))?.focus();
  }, []);
  const counts = value.value;
  return (
    <section class="card stack tight" aria-labelledby="timeline-heading">
      <div class="row apart">
        <h2 id="timeline-heading" ref={heading} tabIndex={-1}>
          <span dir="auto">{topic.name}</span>{" "}
          <span class="kind small" data-kind={topic.label}>
            {KINDS[topic.label].one}
          </span>
        </h2>
        <a
          class="button plain icon"
          href={changed(router.place.value, { topic: null, kind: null })}
          aria-label="Close"
        >
          <Icon name="close" />
        </a>
      </div>
      <div class="chart-room" aria-busy={counts === null}>
        <Problem text={error.value} />
        {counts === null && error.value === null && <p class="muted">Loading the days…</p>}
        {counts?.length === 0 && <p class="muted">No post of this period names it.</p>}
        {counts !== null && counts.length > 0 && (
          <Days counts={counts} days={days} name={topic.name} />
        )}
      </div>
      {publication !== null && (
        <p>
          <a href={allAddress(topic)}>The same in all publications</a>
        </p>
      )}
    </section>
  );
}

interface DaysProps {
  counts: readonly DayCount[];
  days: TimelinePartProps["days"];
  name: string;
}

function Days({ counts, days, name }: DaysProps) {
  const columns = columnsOf(counts, days);
  const all = counts.reduce((sum, { count }) => sum + count, 0);
  return (
    <>
      <p class="muted">
        {counted(all, "post")} on {counted(counts.length, "day")}
      </p>
      <TimelineChart columns={columns} name={name} />
      <details>
        <summary>The same as a table</summary>
        <div class="table-room" role="region" aria-label="Posts over time" tabIndex={0}>
          <table class="table">
            <thead>
              <tr>
                <th scope="col">Day</th>
                <th scope="col" class="figure">
                  Posts
                </th>
              </tr>
            </thead>
            <tbody>
              {columns
                .filter(({ count }) => count > 0)
                .map((column) => (
                  <tr key={column.day}>
                    <th scope="row">{spanText(column)}</th>
                    <td class="number figure">{column.count.toLocaleString()}</td>
                  </tr>
                ))}
            </tbody>
          </table>
        </div>
      </details>
    </>
  );
}

function allAddress({ name, label }: TimelinePartProps["topic"]): string {
  return `/topics?${new URLSearchParams({ view: "all", topic: name, kind: label })}`;
}
