import type { Environment } from "../../src/environment.ts";
import { isBuilt, runEarshot } from "./server.ts";

/** How a command ended, and what it wrote. */
export interface Run {
  code: number;
  out: string;
  err: string;
}

/** Waits for a program to end. */
export async function endOf(
  child: Bun.Subprocess<"ignore" | Blob | null | undefined, "pipe", "pipe">,
): Promise<Run> {
  const [code, out, err] = await Promise.all([
    child.exited,
    child.stdout.text(),
    child.stderr.text(),
  ]);
  return { code, out, err };
}

/** The same without the line's end at the end. */
export function trimmed({ code, out, err }: Run): Run {
  return { code, out: out.trim(), err: err.trim() };
}

/** Runs a command of the program in this process, or the built program where that is tested. */
export function runCommand(
  command: (args: string[]) => Promise<number>,
  args: string[],
  settings: Environment = {},
  input = "",
): Promise<Run> {
  if (!isBuilt) return runHere(() => command(args), settings, input);
  return endOf(runEarshot([command.name, ...args], settings, process.cwd(), input));
}

/**
 * Runs a command in this process, which takes a hundredth of what a new one takes: with `settings`
 * for its environment, `input` on its standard input, and its output caught. One at a time.
 */
export async function runHere(
  command: () => Promise<number>,
  settings: Environment = {},
  input = "",
): Promise<Run> {
  const { env, stdin, stdout, stderr } = process;
  const { log, error } = console;
  const written = { out: "", err: "" };
  const into = (where: "out" | "err") => ({
    isTTY: false,
    write: (text: string): boolean => {
      written[where] += text;
      return true;
    },
  });
  const replace = (streams: object): void => {
    for (const [name, value] of Object.entries(streams)) {
      Object.defineProperty(process, name, { value, configurable: true });
    }
  };
  const [out, err] = [into("out"), into("err")];
  process.env = { PATH: env["PATH"], ...settings };
  replace({ stdin: new Blob([input]).stream(), stdout: out, stderr: err });
  console.log = (...values: unknown[]) => out.write(`${values.map(String).join(" ")}\n`);
  console.error = (...values: unknown[]) => err.write(`${values.map(String).join(" ")}\n`);
  try {
    const code = await command();
    return { code, ...written };
  } finally {
    process.env = env;
    replace({ stdin, stdout, stderr });
    Object.assign(console, { log, error });
  }
}
