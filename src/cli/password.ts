/** A password that could not be had: the two were not alike, or there was none. */
export class NoPassword extends Error {
  override name = "NoPassword";
}

/** What somebody types as a password; more is not read. */
const LINE_BYTES_MAX = 4_096;
/** The third is the end of the input, Ctrl-D. */
const ENTER = ["\r", "\n", "\u0004"];
const BREAK = "\u0003";
const RUBOUT = ["\b", "\u007f"];
const WHOLE_LINE_RUBOUT = "\u0015";

/**
 * Asks for a new password: on a terminal twice and without showing it, else the first line of
 * standard input. Never an argument, which other processes and the shell's history would see.
 */
export async function askNewPassword(): Promise<string> {
  if (!process.stdin.isTTY) return readFirstLine();
  const first = await askUnseen("password: ");
  const second = await askUnseen("again: ");
  if (first !== second) throw new NoPassword("the two passwords are not the same");
  return first;
}

async function readFirstLine(): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of process.stdin as AsyncIterable<Uint8Array>) {
    text += decoder.decode(bytes, { stream: true });
    if (text.includes("\n") || text.length > LINE_BYTES_MAX) break;
  }
  const line = /^[^\r\n]*/.exec(text)?.[0] ?? "";
  if (line === "") throw new NoPassword("standard input holds no password");
  return line;
}

/** Reads a line from the terminal, which shows nothing of it. */
async function askUnseen(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const decoder = new TextDecoder();
  let typed: string[] = [];
  const take = (bytes: Uint8Array): void => {
    for (const character of decoder.decode(bytes, { stream: true })) {
      if (character === BREAK) reject(new NoPassword("nothing was changed"));
      else if (ENTER.includes(character)) resolve(typed.join(""));
      else if (RUBOUT.includes(character)) typed.pop();
      else if (character === WHOLE_LINE_RUBOUT) typed = [];
      else if (typed.length < LINE_BYTES_MAX) typed.push(character);
    }
  };
  // Before anybody is asked: what is typed early would be shown.
  stdin.setRawMode(true);
  stdin.on("data", take);
  stdin.resume();
  stderr.write(prompt);
  try {
    return await promise;
  } finally {
    stdin.off("data", take);
    stdin.pause();
    stdin.setRawMode(false);
    stderr.write("\n");
  }
}
