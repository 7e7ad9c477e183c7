import { Elysia } from "elysia";

// The least that answers a request: Bun's own server, or Elysia's with one route.
//   bun bare-requests.ts bun|elysia

const answer = (): { status: string } => ({ status: "ok" });
const at = { hostname: "127.0.0.1", port: 0 };
const server =
  process.argv[2] === "elysia"
    ? new Elysia().get("/healthz", answer).listen(at).server
    : Bun.serve({ ...at, routes: { "/healthz": () => Response.json(answer()) } });
console.log(JSON.stringify({ url: server?.url.href }));
