import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Found, FoundPage } from "../../features/transcription/kept-model.ts";
import { useApp } from "../context.ts";
import { lengthOf, momentOf } from "../parts/times.ts";
import { MoreButton } from "../parts/more-button.tsx";
import { LanguageChoice } from "../parts/language-choice.tsx";
import { usePages } from "../parts/pages.ts";
import { Snippet } from "./snippet.tsx";
import { counted } from "../parts/numbers.ts";
import { languageOf, transcriptionAddress } from "./told.tsx";
import { Problem } from "../parts/problem.tsx";

/** Whoever is still typing is left to it so long. */
const PAUSE_MS = 250;
const CHARACTERS_MAX = 500;
const PAGE_ROWS = 20;

/** Keeps what is looked for in the address, so that it can be shared and gone back to. */
export function SearchForm() {
  const { router } = useApp();
  const { query } = router.place.value;
  const text = useSignal(query.get("q") ?? "");
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);

  const find = (q: string, language: string | null): void => {
    clearTimeout(timer.current);
    const next = new URLSearchParams();
    if (q.trim() !== "") next.set("q", q.trim());
    if (language !== null && language !== "") next.set("language", language);
    const address = next.size === 0 ? "/transcriptions" : `/transcriptions?${next}`;
    router.go(address, "replace");
  };

  return (
    <form
      class="search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        find(text.value, query.get("language"));
      }}
    >
      <label>
        <span class="spoken">Find what was said</span>
        <input
          type="search"
          class="input"
          placeholder="Find what was said"
          value={text.value}
          maxLength={CHARACTERS_MAX}
          autocomplete="off"
          dir="auto"
          onInput={({ currentTarget }) => {
            text.value = currentTarget.value;
            clearTimeout(timer.current);
            timer.current = setTimeout(
              () => find(text.value, router.place.value.query.get("language")),
              PAUSE_MS,
            );
          }}
        />
      </label>
      <LanguageChoice
        label="Language"
        none="Any language"
        value={query.get("language") ?? ""}
        disabled={text.value.trim() === ""}
        onChange={(language) => find(text.value, language)}
      />
    </form>
  );
}

export function SearchResults({ text, language }: { text: string; language: string | null }) {
  const { api } = useApp();
  const found = usePages<Found>(
    async (after, signal) => {
      const asked = { q: text, language, limit: PAGE_ROWS, after };
      const page = await api.get<FoundPage>("/v1/transcriptions/search", asked, signal);
      return { rows: page.results, next: page.next };
    },
    [text, language],
  );
  const rows = found.rows.value;
  return (
    <section class="stack tight" aria-labelledby="found-heading" aria-busy={found.isLoading.value}>
      <h2 id="found-heading" class="spoken">
        Found
      </h2>
      <p class="muted small" role="status">
        {rows === null ? "Looking…" : countInWords(rows.length, found.hasMore.value)}
      </p>
      <Problem text={found.error.value} />
      <ul class="stack tight listed">
        {rows?.map((row) => (
          <li key={`${row.id} ${row.segment.segment_id}`}>
            <FoundCard found={row} />
          </li>
        ))}
      </ul>
      <MoreButton
        label="More"
        hasMore={found.hasMore.value}
        isLoading={found.isLoading.value}
        onMore={found.more}
      />
    </section>
  );
}

function FoundCard({ found }: { found: Found }) {
  const { id, segment, snippet, title, created_at: createdAt, language } = found;
  const place = `?segment=${encodeURIComponent(segment.segment_id)}`;
  return (
    <a class="card transcription-card" href={transcriptionAddress(id) + place}>
      <span class="found-words" dir="auto" lang={language}>
        <Snippet html={snippet} />
      </span>
      <span class="facts muted small">
        {title !== null && (
          <b dir="auto" class="found-title">
            {title}
          </b>
        )}
        {segment.end_ms > 0 && <span>at {lengthOf(segment.start_ms)}</span>}
        <time dateTime={new Date(createdAt).toISOString()}>{momentOf(createdAt)}</time>
        <span>{languageOf(language)}</span>
      </span>
    </a>
  );
}

function countInWords(count: number, hasMore: boolean): string {
  if (count === 0)
    return "Nothing was found. Beginnings of words are enough: “meet” finds “meeting”.";
  return `${hasMore ? "More than " : ""}${counted(count, "place")} found, newest first`;
}
