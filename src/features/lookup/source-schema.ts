import { type Static, Type as t } from "@sinclair/typebox";

// How the file of sources is written: JSON, names as in the documentation, times in seconds.

const SOURCES_MAX = 100;
const SECONDS_MAX = 10 * 365 * 86_400;

const seconds = t.Optional(t.Integer({ minimum: 0, maximum: SECONDS_MAX }));

const parameterEntry = t.Object(
  {
    pattern: t.Optional(t.String({ minLength: 1, maxLength: 1_000 })),
    number: t.Optional(
      t.Object(
        {
          min: t.Number(),
          max: t.Number(),
          decimals: t.Optional(t.Integer({ minimum: 0, maximum: 6 })),
        },
        { additionalProperties: false },
      ),
    ),
    characters_max: t.Optional(t.Integer({ minimum: 1, maximum: 500 })),
    lower_case: t.Optional(t.Boolean()),
    space: t.Optional(t.String({ maxLength: 3 })),
    default: t.Optional(t.String({ maxLength: 500 })),
    required: t.Optional(t.Boolean()),
  },
  { additionalProperties: false },
);

const pathEntry = t.Object(
  {
    template: t.String({ minLength: 1, maxLength: 500 }),
    parameters: t.Optional(t.Record(t.String(), parameterEntry)),
    fixed: t.Optional(t.Record(t.String(), t.String({ maxLength: 1_000 }))),
  },
  { additionalProperties: false },
);

const sourceEntry = t.Object(
  {
    name: t.String({ minLength: 1, maxLength: 60 }),
    base_url: t.String({ minLength: 1, maxLength: 500 }),
    paths: t.Record(t.String(), pathEntry),
    headers: t.Optional(t.Record(t.String(), t.String({ maxLength: 1_000 }))),
    content_types: t.Optional(t.Array(t.String(), { minItems: 1, maxItems: 10 })),
    ttl_s: seconds,
    missing_ttl_s: seconds,
    stale_s: seconds,
    failed_ttl_s: seconds,
    timeout_ms: t.Optional(t.Integer({ minimum: 50, maximum: 30_000 })),
    bytes_max: t.Optional(t.Integer({ minimum: 1, maximum: 4 * 1024 * 1024 })),
    calls_max: t.Optional(t.Integer({ minimum: 1, maximum: 32 })),
    private: t.Optional(t.Boolean()),
    allow_http: t.Optional(t.Boolean()),
  },
  { additionalProperties: false },
);

export const sourceFile = t.Object(
  { sources: t.Array(sourceEntry, { maxItems: SOURCES_MAX }) },
  { additionalProperties: false },
);

export type ParameterEntry = Static<typeof parameterEntry>;
export type PathEntry = Static<typeof pathEntry>;
export type SourceEntry = Static<typeof sourceEntry>;

/** A mistake in the file: where it is and what; never a value that may be a secret. */
export class SourceMistake extends Error {
  override name = "SourceMistake";
}
