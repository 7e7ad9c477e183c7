import { users } from "../../src/cli/users.ts";

// The command without the rest of the program, which takes longer to load than this takes to run.
process.exit(await users(process.argv.slice(2)));
