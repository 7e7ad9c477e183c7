import { readdirSync } from "node:fs";
import {
  type Family,
  type Measure,
  counter,
  createHistogram,
  gauge,
  histogram,
} from "./metrics.ts";

/** What this process takes of its machine, and how long its event loop keeps others waiting. */
export interface ProcessWatch {
  measure: Measure;
  close(): void;
}

/**
 * How often the event loop is asked. What takes long is met in proportion to how long it takes, as it
 * is by whoever waits for an answer.
 */
const LOOK_EVERY_MS = 100;
const DELAYS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
/** Where Linux lists what a process has open; elsewhere nobody is told. */
const OPEN_FILES = "/proc/self/fd";

export function watchProcess(version: string): ProcessWatch {
  const delays = createHistogram(DELAYS_S);
  let dueAt = performance.now() + LOOK_EVERY_MS;
  const looking = setInterval(() => {
    const now = performance.now();
    delays.observe(Math.max(0, now - dueAt) / 1000);
    dueAt = now + LOOK_EVERY_MS;
  }, LOOK_EVERY_MS);

  const measure = (): Family[] => {
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed } = process.memoryUsage();
    return [
      gauge("earshot_build_info", "The program that runs; always 1.", [
        [{ version, runtime: `bun ${Bun.version}` }, 1],
      ]),
      gauge(
        "earshot_process_start_time_seconds",
        "When the process began, in Unix time.",
        performance.timeOrigin / 1000,
      ),
      counter(
        "earshot_process_cpu_seconds_total",
        "Time of processors that the process has taken, with all its threads.",
        (user + system) / 1e6,
      ),
      gauge("earshot_process_resident_memory_bytes", "Memory that the process holds.", rss),
      gauge("earshot_process_heap_bytes", "Memory of the main thread's objects.", heapUsed),
      gauge("earshot_process_open_fds", "Files and sockets that are open.", openFiles()),
      histogram(
        "earshot_event_loop_delay_seconds",
        "How much later than it should something ran, looked at ten times a second.",
        delays,
      ),
    ];
  };
  return { measure, close: () => clearInterval(looking) };
}

function openFiles(): number | null {
  try {
    return readdirSync(OPEN_FILES).length;
  } catch {
    return null;
  }
}
