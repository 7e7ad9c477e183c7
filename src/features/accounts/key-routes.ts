import { Elysia, t } from "elysia";
import type { guard } from "../../http/guard.ts";
import type { KeptKey } from "../../http/keys.store.ts";
import type { Keys } from "../../http/keys.ts";
import { problemSchema } from "../../http/problem.ts";
import { keyBody, keySchema, newKeySchema } from "./model.ts";

export interface KeyRoutesDependencies {
  guard: ReturnType<typeof guard>;
  keys: Pick<Keys, "create" | "list" | "revoke">;
}

/** Keys for programs, for admins; also where nobody has to sign in. */
export function keyRoutes({ guard, keys }: KeyRoutesDependencies) {
  const tags = ["keys"];
  const refused = { 401: problemSchema, 403: problemSchema, 422: problemSchema };
  return new Elysia({ name: "keys" })
    .use(guard)
    .get("/v1/keys", async () => (await keys.list()).map(keyJson), {
      admin: true,
      response: { 200: t.Array(keySchema), ...refused },
      detail: { summary: "API keys, the oldest first, revoked ones too", tags },
    })
    .post(
      "/v1/keys",
      async ({ body: { name, scopes }, status }) => {
        const { key, kept } = await keys.create(name, scopes);
        return status(201, { ...keyJson(kept), key });
      },
      {
        admin: true,
        body: keyBody,
        response: { 201: newKeySchema, 409: problemSchema, 503: problemSchema, ...refused },
        detail: { summary: "Make an API key, which is told only this once", tags },
      },
    )
    .delete(
      "/v1/keys/:id",
      async ({ params: { id }, status }) => {
        await keys.revoke(String(id));
        return status(204, undefined);
      },
      {
        admin: true,
        params: t.Object({ id: t.Integer({ minimum: 1 }) }),
        response: { 204: t.Void(), 404: problemSchema, 503: problemSchema, ...refused },
        detail: { summary: "Revoke an API key, at once and for good", tags },
      },
    );
}

function keyJson({ id, name, hint, scopes, createdAt, usedAt, revokedAt }: KeptKey) {
  return {
    id,
    name,
    hint,
    scopes: [...scopes],
    created_at: createdAt,
    used_at: usedAt,
    revoked_at: revokedAt,
  };
}
