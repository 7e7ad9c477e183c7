import { Elysia, t } from "elysia";
import type { Visitor, guard } from "../../http/guard.ts";
import { identity } from "../../http/identity.ts";
import { patiently } from "../../http/patience.ts";
import { Problem, problemAnswer, problemSchema } from "../../http/problem.ts";
import type { Accounts } from "./accounts.ts";
import type { AllBelongings } from "./belongings.ts";
import { exportAnswer } from "./export.ts";
import {
  type Account,
  type AuthSession,
  type SignedIn,
  changeBody,
  eraseBody,
  meSchema,
  sessionSchema,
} from "./model.ts";
import type { SignIn } from "./sign-in.ts";

export interface MeRoutesDependencies {
  guard: ReturnType<typeof guard>;
  accounts: Accounts;
  signIn: SignIn;
  /** Erases what a closed account has left. */
  erase(userId: number): Promise<void>;
  belongings: AllBelongings;
}

const tags = ["accounts"];
const own = "For an account that has logged in; guests are refused.";
const refused = { 401: problemSchema, 403: problemSchema, 422: problemSchema };
const busy = { 429: problemSchema, 503: problemSchema };

/** What somebody does with the own account and its sessions. */
export function meRoutes(dependencies: MeRoutesDependencies) {
  return new Elysia({ name: "me" })
    .use(accountRoutes(dependencies))
    .use(sessionRoutes(dependencies));
}

function accountRoutes(dependencies: MeRoutesDependencies) {
  const { guard, accounts, signIn, erase, belongings } = dependencies;
  return new Elysia({ name: "own account" })
    .use(guard)
    .get("/v1/auth/me", ({ caller: { userId, name, role } }) => ({ id: userId, name, role }), {
      signedIn: true,
      query: t.Object(identity, { additionalProperties: false }),
      response: { 200: meSchema, ...refused },
      detail: { summary: "Who the server takes the caller for", tags },
    })
    .patch(
      "/v1/auth/me",
      async ({ visitor, body: { name, password, new_password: newPassword } }) => {
        const who = accountOf(visitor);
        if (name !== undefined && password === undefined && newPassword === undefined) {
          return meJson(await accounts.rename(who, name));
        }
        if (name === undefined && password !== undefined && newPassword !== undefined) {
          return meJson(await accounts.changePassword(who, password, newPassword));
        }
        throw new Problem("invalid", "Send name, or password and new_password");
      },
      {
        signedIn: true,
        body: changeBody,
        response: { 200: meSchema, 409: problemSchema, ...refused, ...busy },
        detail: {
          summary: "Change the own name, or the own password",
          description: `${own} A new password ends all its other sessions.`,
          tags,
        },
      },
    )
    .delete(
      "/v1/auth/me",
      async ({ visitor, body: { password }, request, server, status }) => {
        const who = accountOf(visitor);
        await accounts.close(who, password);
        await patiently({ request, server }, () => erase(who.userId));
        return status(204, undefined);
      },
      {
        signedIn: true,
        body: eraseBody,
        response: { 204: t.Void(), 409: problemSchema, ...refused, ...busy },
        detail: {
          summary: "Erase the own account with all it has said and written",
          description:
            `${own} Its transcriptions are deleted, its messages emptied, its sessions ended and its ` +
            "name is free again. There is no way back.",
          tags,
        },
      },
    )
    .get(
      "/v1/auth/me/export",
      async ({ visitor }) => {
        const who = accountOf(visitor);
        const { createdAt, ...account } = await accounts.get(who);
        const sessions = await signIn.sessions(who);
        const head = {
          account: { ...meJson(account), created_at: createdAt },
          sessions: sessions.map((one) => sessionJson(one, who)),
        };
        return exportAnswer(who.userId, head, belongings);
      },
      {
        signedIn: true,
        detail: {
          summary: "Everything the server keeps of the own account, as one JSON object",
          description: `${own} \`account\`, \`sessions\`, and an array for each kind of what it owns.`,
          tags,
          responses: {
            200: {
              description: "streamed",
              content: { "application/json": { schema: { type: "object" } } },
            },
            401: problemAnswer,
            403: problemAnswer,
          },
        },
      },
    );
}

function sessionRoutes({ guard, signIn }: MeRoutesDependencies) {
  return new Elysia({ name: "own sessions" })
    .use(guard)
    .get(
      "/v1/auth/sessions",
      async ({ visitor }) => {
        const who = accountOf(visitor);
        return (await signIn.sessions(who)).map((one) => sessionJson(one, who));
      },
      {
        signedIn: true,
        response: { 200: t.Array(sessionSchema), ...refused },
        detail: {
          summary: "Where the own account is signed in, the latest first",
          description: own,
          tags,
        },
      },
    )
    .delete(
      "/v1/auth/sessions",
      async ({ visitor, status }) => {
        await signIn.end(accountOf(visitor), null);
        return status(204, undefined);
      },
      {
        signedIn: true,
        response: { 204: t.Void(), ...refused },
        detail: {
          summary: "End all sessions of the own account, this one too",
          description: own,
          tags,
        },
      },
    )
    .delete(
      "/v1/auth/sessions/:id",
      async ({ visitor, params: { id }, status }) => {
        await signIn.end(accountOf(visitor), id);
        return status(204, undefined);
      },
      {
        signedIn: true,
        params: t.Object({ id: t.Integer({ minimum: 1 }) }),
        response: { 204: t.Void(), 404: problemSchema, ...refused },
        detail: {
          summary: "End one of them, its access tokens and its sockets",
          description: own,
          tags,
        },
      },
    );
}

/** Throws `forbidden` for guests, and for tokens that somebody signed without a session. */
function accountOf({ caller, sessionId }: Visitor): SignedIn {
  if (sessionId === undefined) {
    throw new Problem("forbidden", "This is for accounts; log in at /v1/auth/login");
  }
  return { userId: caller.userId, sessionId };
}

function meJson({ id, name, role }: Pick<Account, "id" | "name" | "role">) {
  return { id, name, role };
}

function sessionJson(session: AuthSession, { sessionId }: SignedIn) {
  return {
    id: session.id,
    created_at: session.createdAt,
    used_at: session.usedAt,
    expires_at: session.expiresAt,
    user_agent: session.userAgent,
    current: session.id === sessionId,
  };
}
