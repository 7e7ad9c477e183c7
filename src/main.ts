import { keys } from "./cli/keys.ts";
import { models } from "./cli/models.ts";
import { serve } from "./cli/serve.ts";
import { simulate } from "./cli/simulate.ts";
import { tag } from "./cli/tag.ts";
import { train } from "./cli/train.ts";
import { transcribe } from "./cli/transcribe.ts";
import { users } from "./cli/users.ts";
import { VERSION } from "./version.ts";

const USAGE = `Earshot ${VERSION}: rooms, captions and topics for groups that talk

usage: earshot COMMAND

  serve               start the server (settings: .env.example)
  transcribe FILE…    write what is said in sound files to standard output
                        --format txt|json|srt|vtt   (txt)
                        --language en|hi|auto       (auto)
  models list [--json] | pull NAME | rm NAME
                      speech models: what there is, get one, remove one
  users add NAME [--admin] | passwd NAME | list [--json]
                      accounts; the password is asked for, or read from standard input
  keys create NAME [--scopes posts,audio] | list [--json] | revoke ID|NAME…
                      API keys for programs that send posts or have files transcribed

  train FILE… --out MODEL [--language en|hi] [--epochs N]
                      the finder of people, places and organisations, from labelled JSONL
  tag [--language en|hi] [--lower] [--model MODEL] [FILE…]
                      who and what texts name; with --test FILE: how well that goes

  simulate [FILE|URL] [--url http://127.0.0.1:3000] [--key KEY] [--count N] [--seed N]
           [--concurrency N] [--bulk] [--check] [--patience SECONDS]
           [--content COLUMN] [--publication COLUMN] [--id COLUMN] [--published COLUMN]
                      send posts of a CSV or JSON-lines file (.zst, .gz), or made-up ones;
                      --check: compare what the server counts with the truth

  --help  --version

exit codes: 0 done, 1 failed, 2 wrong usage`;

/** A command gets its arguments and answers with the exit code. */
const COMMANDS: Record<string, (args: string[]) => Promise<number>> = {
  serve,
  transcribe,
  models,
  users,
  keys,
  train,
  tag,
  simulate,
};

async function run([name, ...args]: string[]): Promise<number> {
  if (name === "--version") {
    console.log(VERSION);
    return 0;
  }
  if (name === "--help" || name === "-h" || args.includes("--help")) {
    console.log(USAGE);
    return 0;
  }
  const command = name === undefined ? undefined : COMMANDS[name];
  if (command === undefined) {
    console.error(USAGE);
    return 2;
  }
  return command(args);
}

process.exit(await run(process.argv.slice(2)));
