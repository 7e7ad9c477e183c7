import { COMMIT, VERSION } from "./version.ts";

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
  backup FILE [--force]
                      copy the database into one file, also while servers run
  restore FILE [--force]
                      put a backup in the database's place; the servers must be stopped
  check [FILE]        read the whole database, or a backup, and say what is wrong with it

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
type Command = (args: string[]) => Promise<number>;

// Each is loaded when it is wanted: what the server is made of takes half a second.
const COMMANDS: Record<string, () => Promise<Command>> = {
  serve: async () => (await import("./cli/serve.ts")).serve,
  transcribe: async () => (await import("./cli/transcribe.ts")).transcribe,
  models: async () => (await import("./cli/models.ts")).models,
  users: async () => (await import("./cli/users.ts")).users,
  keys: async () => (await import("./cli/keys.ts")).keys,
  backup: async () => (await import("./cli/backup.ts")).backup,
  restore: async () => (await import("./cli/restore.ts")).restore,
  check: async () => (await import("./cli/check.ts")).check,
  train: async () => (await import("./cli/train.ts")).train,
  tag: async () => (await import("./cli/tag.ts")).tag,
  simulate: async () => (await import("./cli/simulate.ts")).simulate,
};

async function run([name, ...args]: string[]): Promise<number> {
  if (name === "--version") {
    console.log(COMMIT === null ? VERSION : `${VERSION} (${COMMIT})`);
    return 0;
  }
  if (name === "--help" || name === "-h" || args.includes("--help")) {
    console.log(USAGE);
    return 0;
  }
  const load = name === undefined ? undefined : COMMANDS[name];
  if (load === undefined) {
    console.error(USAGE);
    return 2;
  }
  const command = await load();
  return command(args);
}

process.exit(await run(process.argv.slice(2)));
