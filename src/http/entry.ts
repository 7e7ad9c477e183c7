/**
 * What the documentation says of who gets in. The guard writes it beside each route that it keeps,
 * under a name of its own: a route's own description and answers take the place of a mark's. `docs`
 * adds it to them.
 */
export interface Entry {
  /** Sentences for the route's description. */
  who: string;
  /** Whether it may be a person, who can state the own number in the query. */
  isPerson: boolean;
}

export const ENTRY = "x-entry";

const BEARER = [{ bearer: [] }];

export const SIGNED_IN = {
  security: BEARER,
  [ENTRY]: {
    who: "Needs a token; with AUTH=open guests come in without one.",
    isPerson: true,
  } satisfies Entry,
};

export const ADMIN = {
  security: BEARER,
  [ENTRY]: {
    who: "Needs the token of an admin, also with AUTH=open.",
    isPerson: true,
  } satisfies Entry,
};

export const SIGNED_IN_OR_KEY = {
  security: BEARER,
  [ENTRY]: {
    who:
      "Needs a token or, in its place, an API key with the scope `audio`; with AUTH=open guests come " +
      "in without one.",
    isPerson: true,
  } satisfies Entry,
};

export const WATCHER = {
  security: [{ key: [] }, ...BEARER],
  [ENTRY]: {
    who: "Needs an API key, whatever its scopes, or the token of an admin; with AUTH=open neither.",
    isPerson: false,
  } satisfies Entry,
};

export const KEYED = {
  security: [{ key: [] }, ...BEARER],
  [ENTRY]: {
    who:
      "Needs an API key with the scope `posts`, or the token of an admin; with AUTH=open neither, as " +
      "long as there is no key.",
    isPerson: false,
  } satisfies Entry,
};
