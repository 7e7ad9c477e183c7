// The models command with a catalogue that a test gives: what it works with as JSON, then its
// arguments.

import { type ModelsDependencies, runModels } from "../../src/cli/models.ts";

const [dependencies = "", ...args] = process.argv.slice(2);
process.exit(await runModels(JSON.parse(dependencies) as ModelsDependencies, args));
