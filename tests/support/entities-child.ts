import { tag } from "../../src/cli/tag.ts";
import { train } from "../../src/cli/train.ts";

const [command, ...args] = process.argv.slice(2);
process.exit(await (command === "train" ? train(args) : tag(args)));
