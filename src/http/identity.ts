import { t } from "elysia";

/** Who a caller says it is, in the query of every route that takes a caller. */
export const identity = {
  user_id: t.Optional(t.Integer({ minimum: 0, description: "open mode only" })),
  name: t.Optional(t.String({ description: "open mode only" })),
};
