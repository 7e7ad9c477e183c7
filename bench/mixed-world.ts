import { readFileSync, readdirSync } from "node:fs";
import { type Server, cpuSeconds, rssMb } from "./servers.ts";

// What bench/mixed.ts has around it: the processes of its clients, and what a server tells of itself.

/** What is timed. */
export type Measured = "message" | "caption" | "interim" | "post" | "search" | "other" | "page";

export interface LoadTold {
  /** Milliseconds since the last time; of many, so many that their quantiles are the same. */
  values: Partial<Record<Measured, number[]>>;
  done: Record<string, number>;
  /** What should not have happened. */
  faults: string[];
}

export type LoadWish =
  | { name: "scale"; scale: number }
  | { name: "tell" }
  /** Everybody leaves, after the sentence. */
  | { name: "end" };

export interface Load {
  setScale(scale: number): Promise<void>;
  tell(): Promise<LoadTold>;
  end(): Promise<void>;
  kill(): Promise<void>;
}

/** Two, so that they can take half of what a server with two cores tells. */
const LOADS = 2;

export function openLoad(url: string): Load {
  const waiting = new Map<number, (told: LoadTold | null) => void>();
  let calls = 0;
  const children = Array.from({ length: LOADS }, (_, number) =>
    Bun.spawn([process.execPath, "mixed-load.ts", url, String(number)], {
      cwd: import.meta.dir,
      stdio: ["ignore", "inherit", "inherit"],
      ipc: ({ call, told }: { call: number; told: LoadTold | null }) => waiting.get(call)?.(told),
      onExit: () => {
        // Nobody waits for who is gone; the bench goes on with the others and shows the fault.
        for (const resolve of waiting.values()) resolve(null);
      },
    }),
  );
  const ask = (wish: LoadWish): Promise<(LoadTold | null)[]> =>
    Promise.all(
      children.map((child) => {
        const call = ++calls;
        child.send({ call, wish });
        return new Promise<LoadTold | null>((resolve) =>
          waiting.set(call, (told) => {
            waiting.delete(call);
            resolve(told);
          }),
        );
      }),
    );
  return {
    setScale: async (scale) => void (await ask({ name: "scale", scale: scale / LOADS })),
    tell: async () => joined(await ask({ name: "tell" })),
    end: async () => void (await ask({ name: "end" })),
    kill: async () => {
      for (const child of children) child.kill("SIGKILL");
      await Promise.all(children.map((child) => child.exited));
    },
  };
}

function joined(all: readonly (LoadTold | null)[]): LoadTold {
  const told: LoadTold = { values: {}, done: {}, faults: [] };
  for (const one of all) {
    if (one === null) {
      told.faults.push("a process of clients is gone");
      continue;
    }
    told.faults.push(...one.faults);
    for (const [kind, values] of Object.entries(one.values) as [Measured, number[]][]) {
      told.values[kind] = [...(told.values[kind] ?? []), ...values];
    }
    for (const [what, times] of Object.entries(one.done)) {
      told.done[what] = (told.done[what] ?? 0) + times;
    }
  }
  return told;
}

/** A server at one moment. */
export interface Sample {
  atMs: number;
  cpuS: number;
  rssMb: number;
  heapMb: number;
  handles: number;
  threads: number;
  /** Posts that are not done, and the age of the oldest. */
  queued: number;
  oldestS: number;
  /** Counts of delays of the event loop up to each bound in seconds, since the start. */
  delays: Map<number, number>;
}

export async function sample(server: Server, url: string): Promise<Sample> {
  const text = await (await fetch(`${url.replace("ws:", "http:")}/metrics`)).text();
  const gauge = (name: string): number =>
    Number(new RegExp(`^earshot_${name} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
  const buckets = text.matchAll(
    /^earshot_event_loop_delay_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm,
  );
  const status = readFileSync(`/proc/${server.pid}/status`, "utf8");
  return {
    atMs: performance.now(),
    cpuS: cpuSeconds([server]),
    rssMb: rssMb(server),
    heapMb: gauge("process_heap_bytes") / 2 ** 20,
    handles: readdirSync(`/proc/${server.pid}/fd`).length,
    threads: Number(/Threads:\s+(\d+)/.exec(status)?.[1]),
    queued: gauge("posts_queued") + gauge("posts_leased"),
    oldestS: gauge("posts_oldest_age_seconds"),
    delays: new Map(
      Array.from(buckets, ([, bound, times]) => [
        bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound),
        Number(times),
      ]),
    ),
  };
}

/** Ticks of the machine's cores so far: all, and those in which nothing ran. */
export function machineTicks(): { all: number; idle: number } {
  const [, ...ticks] = readFileSync("/proc/stat", "utf8").split("\n", 1)[0]?.split(/\s+/) ?? [];
  const numbers = ticks.slice(0, 8).map(Number);
  return {
    all: numbers.reduce((sum, one) => sum + one, 0),
    idle: (numbers[3] ?? 0) + (numbers[4] ?? 0),
  };
}
