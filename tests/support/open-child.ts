// Opens the database named as its argument, says so and ends. Started by tests that let several race.

import { openDatabase } from "../../src/platform/database.ts";

// All of them have started when the test says go.
process.stdout.write("here\n");
await Bun.stdin.text();
const database = openDatabase(process.argv[2] ?? "");
database.check();
await database.close();
process.stdout.write("opened\n");
