// Numbers for whoever watches the program, in the text format that Prometheus reads (version 0.0.4).
// Parts count by themselves, in plain numbers, and are asked when somebody looks: nothing here runs
// for what is counted.

/** A metric with all its readings. */
export interface Family {
  name: string;
  help: string;
  type: "counter" | "gauge" | "histogram";
  samples: readonly Sample[];
}

/** Names and values that we chose ourselves, few enough to list: never of rooms, people or texts. */
export type Labels = Readonly<Record<string, string>>;

interface Sample {
  /** What stands behind the family's name, as in `_bucket`. */
  suffix: string;
  labels: Labels;
  value: number;
}

/** One number, one for each of some labels, or null when it cannot be known here. */
export type Reading = number | null | readonly (readonly [Labels, number])[];

/** What a part has to tell when it is asked. */
export type Measure = () => readonly Family[] | Promise<readonly Family[]>;

/** Counts how large values were. */
export interface Histogram {
  observe(value: number): void;
  samples(labels?: Labels): readonly Sample[];
}

/** What `Content-Type` says of the text. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** A number that only grows while the process runs; its name ends in `_total`. */
export function counter(name: string, help: string, reading: Reading): Family {
  return { name, help, type: "counter", samples: samplesOf(reading) };
}

/** A number that goes up and down. */
export function gauge(name: string, help: string, reading: Reading): Family {
  return { name, help, type: "gauge", samples: samplesOf(reading) };
}

/** How large values were, from one or several `createHistogram`, by their labels. */
export function histogram(
  name: string,
  help: string,
  counted: Histogram | readonly (readonly [Labels, Histogram])[],
): Family {
  const samples =
    "samples" in counted
      ? counted.samples()
      : counted.flatMap(([labels, one]) => one.samples(labels));
  return { name, help, type: "histogram", samples };
}

/** Readings by the values of one label. */
export function byLabel(
  label: string,
  counts: Iterable<readonly [string | number, number]>,
): (readonly [Labels, number])[] {
  return Array.from(counts, ([value, count]) => [{ [label]: String(value) }, count] as const);
}

/** `bounds` are the upper ends of the buckets, the smallest first; there is one more for what is above. */
export function createHistogram(bounds: readonly number[]): Histogram {
  const counts = Array.from({ length: bounds.length + 1 }, () => 0);
  let sum = 0;
  return {
    observe: (value) => {
      let at = 0;
      while (at < bounds.length && value > (bounds[at] ?? 0)) at++;
      counts[at] = (counts[at] ?? 0) + 1;
      sum += value;
    },
    samples: (labels = {}) => {
      let total = 0;
      const buckets = counts.map((count, at) => {
        total += count;
        const le = at < bounds.length ? String(bounds[at]) : "+Inf";
        return { suffix: "_bucket", labels: { ...labels, le }, value: total };
      });
      return [
        ...buckets,
        { suffix: "_sum", labels, value: sum },
        { suffix: "_count", labels, value: total },
      ];
    },
  };
}

/**
 * Asks every part. One that cannot answer is left out and counted: a disk that fails must not hide
 * everything else.
 */
export async function readMetrics(measures: readonly Measure[]): Promise<Family[]> {
  const asked = await Promise.allSettled(measures.map(async (measure) => measure()));
  const families = asked.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
  const silent = asked.filter(({ status }) => status === "rejected").length;
  return [
    ...families,
    gauge("earshot_metrics_unreadable", "Parts whose numbers could not be read just now.", silent),
  ];
}

/**
 * Writes metrics as Prometheus reads them; see
 * https://prometheus.io/docs/instrumenting/exposition_formats/.
 */
export function metricsText(families: readonly Family[]): string {
  return families.map(familyText).join("");
}

function samplesOf(reading: Reading): Sample[] {
  if (reading === null) return [];
  if (typeof reading === "number") return [{ suffix: "", labels: {}, value: reading }];
  return reading.map(([labels, value]) => ({ suffix: "", labels, value }));
}

function familyText({ name, help, type, samples }: Family): string {
  const lines = samples.map(
    ({ suffix, labels, value }) => `${name}${suffix}${labelsText(labels)} ${value}\n`,
  );
  return `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels);
  if (pairs.length === 0) return "";
  return `{${pairs.map(([key, value]) => `${key}="${escaped(value).replaceAll('"', '\\"')}"`).join(",")}}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
