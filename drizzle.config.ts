import { defineConfig } from "drizzle-kit";

// Only for `bun run migration`, which writes the next SQL file; the program embeds and applies them itself.
export default defineConfig({
  dialect: "sqlite",
  schema: "./src/schema.ts",
  out: "./src/platform/migrations",
});
