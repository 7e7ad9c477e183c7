import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomInt } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { temporaryFolder } from "../../support/app.ts";
import { type RealWorld, openRealWorld } from "../../support/model-real.ts";
import { simulate, steps } from "../../support/model-simulated.ts";
import { createRandom } from "../../support/random.ts";
import { hasRedis } from "../../support/redis.ts";

// Random members do random things in a room that two processes share, while what is between them
// breaks. In the end every member holds exactly the room's log. A run is repeated by its seed:
// EARSHOT_SEED=… as printed; the one with real processes repeats its plan, though not its moments.

const SEED = Number(process.env["EARSHOT_SEED"] ?? randomInt(2 ** 31));
const SIMULATED_RUNS = Number(process.env["EARSHOT_SIMULATED_RUNS"] ?? 20);
/** A failing plan is made as short as this time allows. */
const SIMULATED_MS_MAX = 100_000;
const REAL_RUNS = Number(process.env["EARSHOT_REAL_RUNS"] ?? 1);
const REAL_RUN_MS_MAX = 20_000;

describe("a simulated room over two processes", () => {
  const folder = temporaryFolder();
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test(
    `${SIMULATED_RUNS} times, every member holds exactly the log`,
    async () => {
      console.log(`simulated rooms: EARSHOT_SEED=${SEED}`);
      let rooms = 0;
      let events = 0;
      await fc.assert(
        fc.asyncProperty(fc.integer(), steps, async (seed, plan) => {
          events += plan.length;
          const path = join(folder, "earshot.db");
          expect(await simulate(path, `room ${++rooms}`, seed, plan)).toEqual([]);
        }),
        { numRuns: SIMULATED_RUNS, seed: SEED, interruptAfterTimeLimit: SIMULATED_MS_MAX },
      );
      expect(rooms).toBe(SIMULATED_RUNS);
      console.log(`simulated rooms: ${rooms} runs of ${events} steps`);
    },
    SIMULATED_MS_MAX + 20_000,
  );
});

describe.skipIf(!hasRedis)("a real room over two processes (needs redis-server)", () => {
  let world: RealWorld;

  beforeAll(async () => {
    world = await openRealWorld();
  });
  afterAll(() => world.dispose());

  test(
    `${REAL_RUNS} times, every member holds exactly the log, whatever is killed`,
    async () => {
      console.log(`real rooms: EARSHOT_SEED=${SEED}`);
      for (let run = 1; run <= REAL_RUNS; run++) {
        const wrong = await world.live(`real ${SEED} ${run}`, createRandom(SEED + run));
        expect(wrong).toEqual([]);
      }
    },
    REAL_RUNS * REAL_RUN_MS_MAX,
  );
});
