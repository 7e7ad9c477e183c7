import { t } from "elysia";

/** Somebody who may sign in. */
export interface Account {
  id: number;
  /** As it was given. */
  name: string;
  role: "user" | "admin";
  /** Unix milliseconds. */
  createdAt: number;
}

/** Where an account is signed in. Times are Unix milliseconds. */
export interface AuthSession {
  id: number;
  createdAt: number;
  /** When it was last refreshed. */
  usedAt: number;
  /** When it ends, unless it is refreshed before. */
  expiresAt: number;
  userAgent: string;
}

/** An account, by the session that asks. */
export interface SignedIn {
  userId: number;
  sessionId: number;
}

// In code units, of which a character has two at most; what counts is said by the checks themselves.
const name = t.String({ maxLength: 200, description: "1 to 50 characters" });
const password = t.String({ maxLength: 400, description: "8 to 200 characters" });
const refreshToken = t.String({ maxLength: 200 });
const closed = { additionalProperties: false };

export const registerBody = t.Object({ name, password }, closed);
export const loginBody = t.Object(
  { name: t.String({ maxLength: 200 }), password: t.String({ maxLength: 400 }) },
  closed,
);
export const refreshBody = t.Object({ refresh_token: refreshToken }, closed);
export const changeBody = t.Object(
  {
    name: t.Optional(name),
    password: t.Optional(t.String({ maxLength: 400, description: "the one until now" })),
    new_password: t.Optional(password),
  },
  closed,
);
export const eraseBody = t.Object({ password: t.String({ maxLength: 400 }) }, closed);
export const keyBody = t.Object(
  {
    name: t.String({ maxLength: 200, description: "1 to 100 characters" }),
    scopes: t.Optional(
      t.Array(t.Union([t.Literal("posts"), t.Literal("audio")]), {
        minItems: 1,
        uniqueItems: true,
        description: "what it opens; both when left out",
      }),
    ),
  },
  closed,
);

export const registeredSchema = t.Object({ id: t.Integer(), name: t.String() });

export const meSchema = t.Object({
  id: t.Integer(),
  name: t.String(),
  role: t.Union([t.Literal("user"), t.Literal("admin"), t.Literal("guest")]),
});

export const tokensSchema = t.Object({
  access_token: t.String({ description: "goes into Authorization: Bearer …" }),
  token_type: t.Literal("bearer"),
  expires_in: t.Integer({ description: "seconds" }),
  refresh_token: t.String({ description: "for one use; keep it where only the client can read" }),
});

export const sessionSchema = t.Object({
  id: t.Integer(),
  created_at: t.Integer(),
  used_at: t.Integer({ description: "when it was last refreshed" }),
  expires_at: t.Integer({ description: "unless it is refreshed before" }),
  user_agent: t.String(),
  current: t.Boolean({ description: "whether it is the one that asks" }),
});

const keyFields = {
  id: t.Integer(),
  name: t.String(),
  hint: t.String({ description: "its first characters" }),
  scopes: t.Array(t.String()),
  created_at: t.Integer(),
  used_at: t.Nullable(t.Integer()),
  revoked_at: t.Nullable(t.Integer()),
};
export const keySchema = t.Object(keyFields);
export const newKeySchema = t.Object({
  ...keyFields,
  key: t.String({ description: "told only this once" }),
});
