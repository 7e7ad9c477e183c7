import { Elysia } from "elysia";
import { type KeyRoutesDependencies, keyRoutes } from "./key-routes.ts";
import { type MeRoutesDependencies, meRoutes } from "./me-routes.ts";
import { type SignInRoutesDependencies, signInRoutes } from "./sign-in-routes.ts";

export interface AccountRoutesDependencies
  extends SignInRoutesDependencies, MeRoutesDependencies, KeyRoutesDependencies {}

/** Every route of accounts and keys. */
export function accountRoutes(dependencies: AccountRoutesDependencies) {
  return new Elysia({ name: "accounts" })
    .use(signInRoutes(dependencies))
    .use(meRoutes(dependencies))
    .use(keyRoutes(dependencies));
}
