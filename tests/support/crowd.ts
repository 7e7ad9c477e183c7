import { join } from "node:path";

// Members of several rooms, in processes of their own: what they do takes nobody's time but theirs.

/** What a process of members knows so far. */
export interface CrowdReport {
  /** Promises that the server broke. */
  faults: string[];
  /** How many connections ended with each code since the last report. */
  codes: Record<number, number>;
  /** How many of them were told `draining` before. */
  warned: number;
  /** Everything that was said and answered by `sent`. */
  acknowledged: { room: string; userId: number; clientId: string; id: number; offset: number }[];
  /** What members heard since the last report, each message once. */
  heard: HeardMessage[];
  /** The offsets that the members of each room have reached: the lowest of them. */
  reached: Record<string, number>;
}

export interface HeardMessage {
  room: string;
  epoch: string;
  offset: number;
  id: number;
  clientId: string;
  userId: number;
  text: string;
}

/** What such a process can be asked to do; each is answered once, when it is done. */
export type CrowdWish =
  /** Everybody enters the rooms at that server, and talks from when all are there. */
  | { name: "enter"; url: string }
  /** Nobody says anything new any more, until all that was said is acknowledged. */
  | { name: "hush" }
  /** Every connection has ended. */
  | { name: "left" }
  | { name: "report" };

export interface Crowd {
  enter(url: string): Promise<void>;
  hush(): Promise<void>;
  left(): Promise<void>;
  /** From all processes. */
  report(): Promise<CrowdReport>;
  dispose(): Promise<void>;
}

export interface CrowdAnswer {
  call: number;
  report: CrowdReport | null;
}

const ANSWER_MS_MAX = 60_000;
/** Two of them keep up with what one server tells. */
const PROCESSES = 2;

export function openCrowd(members: number, rooms: readonly string[]): Crowd {
  const waiting = new Map<number, (answer: CrowdAnswer) => void>();
  let calls = 0;
  let isOver = false;
  const over = Promise.withResolvers<never>();
  over.promise.catch(() => {});
  const share = Math.ceil(members / PROCESSES);
  const children = Array.from({ length: PROCESSES }, (_, at) => {
    const first = at * share + 1;
    const count = Math.min(share, members - at * share);
    const program = join(import.meta.dir, "crowd-child.ts");
    return Bun.spawn([process.execPath, program, String(first), String(count), ...rooms], {
      stdio: ["ignore", "inherit", "inherit"],
      ipc: (message: CrowdAnswer) => {
        waiting.get(message.call)?.(message);
        waiting.delete(message.call);
      },
      onExit: () => {
        if (!isOver) over.reject(new Error("members have ended by themselves"));
      },
    });
  });

  const ask = async (wish: CrowdWish): Promise<CrowdAnswer[]> => {
    const timer = setTimeout(
      () => over.reject(new Error(`members were asked to ${wish.name} and did not`)),
      ANSWER_MS_MAX,
    );
    const answers = children.map((child) => {
      const call = ++calls;
      const answer = new Promise<CrowdAnswer>((resolve) => waiting.set(call, resolve));
      child.send({ call, wish });
      return answer;
    });
    return Promise.race([Promise.all(answers), over.promise]).finally(() => clearTimeout(timer));
  };
  const done = async (wish: CrowdWish): Promise<void> => {
    await ask(wish);
  };
  return {
    enter: (url) => done({ name: "enter", url }),
    hush: () => done({ name: "hush" }),
    left: () => done({ name: "left" }),
    report: async () => {
      const answers = await ask({ name: "report" });
      return joined(answers.flatMap(({ report }) => report ?? []));
    },
    dispose: async () => {
      isOver = true;
      for (const child of children) child.kill("SIGKILL");
      await Promise.all(children.map((child) => child.exited));
    },
  };
}

function joined(reports: readonly CrowdReport[]): CrowdReport {
  const codes: Record<number, number> = {};
  const reached: Record<string, number> = {};
  for (const report of reports) {
    for (const [code, times] of Object.entries(report.codes)) {
      codes[Number(code)] = (codes[Number(code)] ?? 0) + times;
    }
    for (const [room, offset] of Object.entries(report.reached)) {
      reached[room] = Math.min(reached[room] ?? offset, offset);
    }
  }
  return {
    faults: reports.flatMap(({ faults }) => faults),
    codes,
    warned: reports.reduce((sum, { warned }) => sum + warned, 0),
    acknowledged: reports.flatMap(({ acknowledged }) => acknowledged),
    heard: reports.flatMap(({ heard }) => heard),
    reached,
  };
}
