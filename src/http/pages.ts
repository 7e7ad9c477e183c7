import { Elysia, t } from "elysia";

/** The browser app as it was bundled: its page, and its scripts and styles by name. */
export interface WebApp {
  html: string;
  files: Readonly<Record<string, string>>;
}

export interface PagesDependencies {
  /** Called once, when the first page is asked for. */
  loadWeb(): Promise<WebApp>;
  auth: "open" | "required";
  isRegistrationOpen: boolean;
  /** What everything is served below; empty for nothing. */
  basePath: string;
}

/** Addresses that the browser app makes its views of; `/` is one of them. */
const VIEWS = ["/rooms", "/transcriptions", "/topics", "/account", "/sign-in"];
const ASSETS = "/assets";
const YEAR_S = 31_536_000;
const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  webmanifest: "application/manifest+json",
};

interface Asset {
  type: string;
  plain: Uint8Array<ArrayBuffer>;
  packed: Uint8Array<ArrayBuffer>;
}

interface Site {
  html: string;
  assets: Map<string, Asset>;
  /** Changes with any of the assets, so that browsers may keep them for ever. */
  mark: string;
}

/** `/`: the browser app for people, `{"Hello":"World"}` for programs; and the app's other views. */
export function pages({ loadWeb, ...settings }: PagesDependencies) {
  let loading: Promise<Site> | null = null;
  const site = (): Promise<Site> =>
    (loading ??= loadWeb().then((web) => createSite(web, settings)));
  const page = async (): Promise<Response> =>
    new Response((await site()).html, {
      headers: {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-cache",
        vary: "accept",
      },
    });

  const routes = new Elysia({ name: "pages" })
    .get(
      "/",
      ({ request, set }) => {
        set.headers["vary"] = "accept";
        if (request.headers.get("accept")?.includes("text/html") !== true)
          return { Hello: "World" };
        return page();
      },
      {
        response: t.Object({ Hello: t.String() }),
        detail: { summary: "A greeting; for browsers the app", tags: ["operations"] },
      },
    )
    .get(
      `${ASSETS}/:mark/:file`,
      async ({ params, request, status }) => {
        const { assets, mark } = await site();
        const asset = assets.get(params.file);
        // A page of an older version asks for files that are gone: a 404 says so, and it is loaded anew.
        if (asset === undefined || params.mark !== mark) return status(404, null);
        return assetAnswer(asset, request);
      },
      { detail: { hide: true } },
    );
  for (const view of VIEWS) {
    routes.get(view, page, { detail: { hide: true } });
    routes.get(`${view}/*`, page, { detail: { hide: true } });
  }
  return routes;
}

function createSite(
  { html, files }: WebApp,
  { auth, isRegistrationOpen, basePath }: Omit<PagesDependencies, "loadWeb">,
): Site {
  const hasher = new Bun.CryptoHasher("sha256");
  const assets = new Map<string, Asset>();
  for (const [name, text] of Object.entries(files)) {
    hasher.update(name).update(text);
    const plain = new TextEncoder().encode(text);
    const type = TYPES[name.split(".").at(-1) ?? ""] ?? "application/octet-stream";
    assets.set(name, { type, plain, packed: Bun.gzipSync(plain, { level: 9 }) });
  }
  const mark = hasher.digest("hex").slice(0, 12);
  const filled = html
    .replaceAll("{assets}", `${basePath}${ASSETS}/${mark}`)
    .replaceAll("{base}", basePath)
    .replace("{auth}", auth)
    .replace("{registration}", isRegistrationOpen ? "open" : "closed");
  return { html: filled, assets, mark };
}

function assetAnswer({ type, plain, packed }: Asset, request: Request): Response {
  const isPacked = request.headers.get("accept-encoding")?.includes("gzip") === true;
  return new Response(isPacked ? packed : plain, {
    headers: {
      "content-type": type,
      "cache-control": `public, max-age=${YEAR_S}, immutable`,
      vary: "accept-encoding",
      ...(isPacked && { "content-encoding": "gzip" }),
    },
  });
}
