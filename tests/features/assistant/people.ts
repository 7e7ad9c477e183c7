import { createHmac } from "node:crypto";

export const JWT_SECRET = "the secret of these tests, long enough";

/** The headers of a user who is signed in; the token is made by hand. */
export function signedIn(user: number, role = "user"): { authorization: string } {
  const encode = (value: unknown): string =>
    Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 600;
  const name = `User ${user}`;
  const claims = { iss: "earshot", aud: "earshot", sub: String(user), role, name, exp };
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  const signature = createHmac("sha256", JWT_SECRET).update(signed).digest("base64url");
  return { authorization: `Bearer ${signed}.${signature}` };
}
