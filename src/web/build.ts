import { join } from "node:path";

// Bundles the browser app and prints it as JSON; run by `bundle.ts`.

const entry = (name: string): string => join(import.meta.dir, name);
const { outputs } = await Bun.build({
  entrypoints: [entry("app.tsx"), entry("audio/microphone.worklet.ts")],
  target: "browser",
  minify: true,
});

const files: Record<string, string> = {
  "icon.svg": await Bun.file(entry("icon.svg")).text(),
  "app.webmanifest": await Bun.file(entry("app.webmanifest")).text(),
};
for (const output of outputs) {
  files[output.path.replace(/^.*\//, "")] = await output.text();
}
const html = await Bun.file(entry("index.html")).text();
console.log(JSON.stringify({ html, files }));
