import { Elysia, t } from "elysia";
import type { NetworkOf } from "../../http/address.ts";
import { problemSchema } from "../../http/problem.ts";
import type { Accounts } from "./accounts.ts";
import { loginBody, refreshBody, registerBody, registeredSchema, tokensSchema } from "./model.ts";
import type { IssuedTokens, SignIn } from "./sign-in.ts";

export interface SignInRoutesDependencies {
  accounts: Accounts;
  signIn: SignIn;
  networkOf: NetworkOf;
}

/** What everyone may send to, and how much: names and passwords at their longest fit, all escaped. */
export const SIGN_IN_PATHS = ["register", "login", "refresh", "logout"].map(
  (name) => `/v1/auth/${name}`,
);
export const SIGN_IN_BODY_BYTES_MAX = 16 * 1024;

/** What nobody has to be signed in for. */
export function signInRoutes({ accounts, signIn, networkOf }: SignInRoutesDependencies) {
  const tags = ["accounts"];
  const busy = { 429: problemSchema, 503: problemSchema };
  return new Elysia({ name: "sign-in" })
    .post(
      "/v1/auth/register",
      async ({ body, request, server, status }) => {
        const network = networkOf(request, server);
        const { id, name } = await accounts.register(body.name, body.password, network);
        return status(201, { id, name });
      },
      {
        body: registerBody,
        response: {
          201: registeredSchema,
          403: problemSchema,
          409: problemSchema,
          422: problemSchema,
          ...busy,
        },
        detail: {
          summary: "Make an account",
          description: "For everyone; with REGISTRATION=closed only the operator makes accounts.",
          tags,
        },
      },
    )
    .post(
      "/v1/auth/login",
      async ({ body: { name, password }, request, server }) => {
        const network = networkOf(request, server);
        const userAgent = request.headers.get("user-agent") ?? "";
        return tokensJson(await signIn.login({ name, password, network, userAgent }));
      },
      {
        body: loginBody,
        response: { 200: tokensSchema, 401: problemSchema, 422: problemSchema, ...busy },
        detail: { summary: "Open a session of an account", description: "For everyone.", tags },
      },
    )
    .post(
      "/v1/auth/refresh",
      async ({ body }) => {
        return tokensJson(await signIn.refresh(body.refresh_token));
      },
      {
        body: refreshBody,
        response: {
          200: tokensSchema,
          401: problemSchema,
          422: problemSchema,
          503: problemSchema,
        },
        detail: {
          summary: "Get the next tokens of a session",
          description:
            "For whoever has the session's latest refresh token, which is worth nothing afterwards. " +
            "One that comes a second time ends the session; one client must not send it twice at once.",
          tags,
        },
      },
    )
    .post(
      "/v1/auth/logout",
      async ({ body, status }) => {
        await signIn.logout(body.refresh_token);
        return status(204, undefined);
      },
      {
        body: refreshBody,
        response: { 204: t.Void(), 422: problemSchema, 503: problemSchema },
        detail: {
          summary: "End a session, its access tokens and its sockets",
          description: "For whoever has a refresh token of it; one that is over is no error.",
          tags,
        },
      },
    );
}

function tokensJson({ accessToken, expiresInS, refreshToken }: IssuedTokens) {
  return {
    access_token: accessToken,
    token_type: "bearer" as const,
    expires_in: expiresInS,
    refresh_token: refreshToken,
  };
}
