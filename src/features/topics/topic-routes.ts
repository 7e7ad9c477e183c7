import { Elysia, t } from "elysia";
import type { guard } from "../../http/guard.ts";
import { identity } from "../../http/identity.ts";
import { problemSchema } from "../../http/problem.ts";
import {
  NAME_CHARACTERS_MAX,
  PUBLICATIONS_PAGE_MAX,
  TOPICS_PAGE_MAX,
  labelField,
  publicationSchema,
  topicSchema,
} from "./model.ts";
import type { TopicsAsked, TopicsService } from "./topics.ts";

export interface TopicRoutesDependencies {
  guard: ReturnType<typeof guard>;
  topics: TopicsService;
}

const PAGE = 100;

const tags = ["topics"];
const refused = { 401: problemSchema, 404: problemSchema, 422: problemSchema };
const name = t.String({ minLength: 1, maxLength: 2 * NAME_CHARACTERS_MAX });
const period = {
  since: t.Optional(
    t.String({
      maxLength: 40,
      description: "the first day, as a date or as Unix milliseconds in it; days are UTC",
    }),
  ),
  until: t.Optional(t.String({ maxLength: 40, description: "the last day, included" })),
};
const page = {
  ...identity,
  ...period,
  limit: t.Optional(t.Integer({ minimum: 1, maximum: TOPICS_PAGE_MAX })),
  after: t.Optional(t.String({ description: "`next` of the page before" })),
  label: t.Optional(labelField),
  q: t.Optional(t.String({ maxLength: NAME_CHARACTERS_MAX, description: "how a word begins" })),
  sort: t.Optional(t.Union([t.Literal("count"), t.Literal("lift")])),
};
const topicsAnswer = t.Object({
  topics: t.Array(topicSchema),
  next: t.Nullable(t.String()),
});

export function topicRoutes({ guard, topics }: TopicRoutesDependencies) {
  return new Elysia({ name: "topics" })
    .use(guard)
    .get(
      "/v1/publications",
      ({ query: { after = "", limit = PUBLICATIONS_PAGE_MAX } }) =>
        topics.publications(after, limit),
      {
        signedIn: true,
        query: t.Object(
          {
            ...identity,
            after: t.Optional(t.String({ description: "a name; those after it" })),
            limit: t.Optional(t.Integer({ minimum: 1, maximum: PUBLICATIONS_PAGE_MAX })),
          },
          { additionalProperties: false },
        ),
        response: { 200: t.Array(publicationSchema), 401: problemSchema, 422: problemSchema },
        detail: { summary: "Publications by name", tags },
      },
    )
    .get(
      "/v1/publications/:name/topics",
      ({ params, query: { own = "exclude", ...asked } }) =>
        topics.topics({
          ...wishes(asked),
          publication: params.name,
          isOwnShown: own === "include",
        }),
      {
        signedIn: true,
        params: t.Object({ name }),
        query: t.Object(
          {
            ...page,
            own: t.Optional(
              t.Union([t.Literal("include"), t.Literal("exclude")], {
                description: "whether the publication's own name is listed; it is always counted",
              }),
            ),
          },
          { additionalProperties: false },
        ),
        response: { 200: topicsAnswer, ...refused },
        detail: { summary: "What a publication talks about", tags },
      },
    )
    .get(
      "/v1/topics",
      ({ query }) => topics.topics({ ...wishes(query), publication: null, isOwnShown: true }),
      {
        signedIn: true,
        query: t.Object(page, { additionalProperties: false }),
        response: { 200: topicsAnswer, 401: problemSchema, 422: problemSchema },
        detail: { summary: "What all publications talk about", tags },
      },
    )
    .get(
      "/v1/topics/timeline",
      ({ query: { topic, label = null, publication = null, since = null, until = null } }) =>
        topics.timeline({ topic, label, publication, since, until }),
      {
        signedIn: true,
        query: t.Object(
          {
            ...identity,
            ...period,
            topic: name,
            label: t.Optional(labelField),
            publication: t.Optional(name),
            interval: t.Optional(t.Literal("day")),
          },
          { additionalProperties: false },
        ),
        response: {
          200: t.Array(t.Object({ day: t.String(), count: t.Integer() })),
          ...refused,
        },
        detail: {
          summary: "Days on which posts mention a topic",
          description: "Without a label, the one that most posts give it.",
          tags,
        },
      },
    );
}

interface PageQuery extends Partial<Pick<TopicsAsked, "limit" | "sort">> {
  label?: NonNullable<TopicsAsked["label"]>;
  q?: string;
  since?: string;
  until?: string;
  after?: string;
}

function wishes({ label, q, since, until, sort, after, limit }: PageQuery) {
  return {
    label: label ?? null,
    q: q ?? null,
    since: since ?? null,
    until: until ?? null,
    sort: sort ?? "count",
    after: after ?? null,
    limit: limit ?? PAGE,
  };
}
