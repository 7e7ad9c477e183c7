import { Elysia, t } from "elysia";

/** `/`: a page for people, `{"Hello":"World"}` for programs. */
export function home(page: string) {
  return new Elysia({ name: "home" }).get(
    "/",
    ({ request, set }) => {
      set.headers["vary"] = "accept";
      if (request.headers.get("accept")?.includes("text/html") !== true) return { Hello: "World" };
      return new Response(page, {
        headers: { "content-type": "text/html; charset=utf-8", vary: "accept" },
      });
    },
    {
      response: t.Object({ Hello: t.String() }),
      detail: { summary: "A greeting; for browsers the page", tags: ["operations"] },
    },
  );
}
