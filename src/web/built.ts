import { bundle } from "./bundle.ts" with { type: "macro" };

/** Loading this bundles the browser app, unless a build has done so. */
export const built = bundle();
