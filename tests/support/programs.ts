import type { Run } from "./command.ts";

/** A program that runs beside the tests. */
export interface Program {
  /** Lines of its standard output so far. */
  lines(): string[];
  /** Gives it a line on its standard input. */
  type(line: string): Promise<void>;
  /** Ends its standard input and waits for its end. */
  end(): Promise<Run>;
  kill(): void;
}

export interface ProgramRequest {
  command: string[];
  /** Where it finds the server. */
  url: string;
  cwd: string;
}

/** Debian's own, which has Debian's packages, before one that somebody put in front of it. */
const PYTHONS = ["/usr/bin/python3", "python3"];
const CAN_RUN = "import sys, websockets; sys.exit(sys.version_info < (3, 11))";

/** A Python that runs the examples; null where there is none. */
export function findPython(): string | null {
  const runs = (python: string): boolean =>
    Bun.which(python) !== null && Bun.spawnSync([python, "-c", CAN_RUN]).exitCode === 0;
  return PYTHONS.find(runs) ?? null;
}

/** Starts a program with nothing of this process's environment but the way to other programs. */
export function startProgram({ command, url, cwd }: ProgramRequest): Program {
  const child = Bun.spawn(command, {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", EARSHOT: url, PYTHONDONTWRITEBYTECODE: "1" },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  let out = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const bytes of child.stdout) out += decoder.decode(bytes, { stream: true });
  })();
  const errors = child.stderr.text();
  return {
    lines: () => out.split("\n").slice(0, -1),
    type: async (line) => {
      await child.stdin.write(`${line}\n`);
      await child.stdin.flush();
    },
    end: async () => {
      await child.stdin.end();
      const [code, err] = await Promise.all([child.exited, errors, reading]);
      return { code, out, err };
    },
    kill: () => child.kill("SIGKILL"),
  };
}

/** Runs a program to its end. */
export function runProgram({ command, url, cwd }: ProgramRequest): Promise<Run> {
  return startProgram({ command, url, cwd }).end();
}
