import { Elysia, t } from "elysia";
import { type Measure, byLabel, gauge } from "../platform/metrics.ts";

/** Whether a part can do its work; null for a part that this server runs without. */
export type Part = () => boolean | null;

export interface HealthDependencies {
  parts: Record<string, Part>;
  draining(): boolean;
}

const readiness = t.Object({
  status: t.UnionEnum(["ready", "draining", "down"]),
  parts: t.Record(t.String(), t.UnionEnum(["up", "down", "off"])),
});

/** `/healthz`: the process answers. `/readyz`: it can do its work, or which part keeps it from that. */
export function health({ parts, draining }: HealthDependencies) {
  return new Elysia({ name: "health" })
    .get("/healthz", () => ({ status: "alive" as const }), {
      response: t.Object({ status: t.Literal("alive") }),
      detail: { summary: "Alive", tags: ["operations"] },
    })
    .get(
      "/readyz",
      ({ status }) => {
        const states = statesOf(parts);
        const isDown = Object.values(states).includes("down");
        if (draining()) return status(503, { status: "draining" as const, parts: states });
        if (isDown) return status(503, { status: "down" as const, parts: states });
        return { status: "ready" as const, parts: states };
      },
      {
        response: { 200: readiness, 503: readiness },
        detail: { summary: "Ready, or what is not", tags: ["operations"] },
      },
    );
}

/** The same for whoever watches; parts that this server runs without are not told. */
export function healthMeasure({ parts, draining }: HealthDependencies): Measure {
  return () => {
    const states = Object.entries(statesOf(parts)).filter(([, state]) => state !== "off");
    const isReady = !draining() && states.every(([, state]) => state === "up");
    return [
      gauge("earshot_ready", "1 when the server can do its work, as in /readyz.", Number(isReady)),
      gauge(
        "earshot_part_up",
        "1 for each part that can do its work.",
        byLabel(
          "part",
          states.map(([name, state]) => [name, Number(state === "up")]),
        ),
      ),
    ];
  };
}

function statesOf(parts: Record<string, Part>): Record<string, "up" | "down" | "off"> {
  return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, stateOf(part)]));
}

function stateOf(part: Part): "up" | "down" | "off" {
  try {
    const works = part();
    if (works === null) return "off";
    return works ? "up" : "down";
  } catch {
    return "down";
  }
}
