import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Transcription } from "../../features/transcription/model.ts";
import {
  type FileTranscription,
  type SpokenLanguage,
  isOver,
} from "../audio/file-transcription.ts";
import { useApp } from "../context.ts";
import { Icon } from "../parts/icon.tsx";
import { DropTarget } from "../parts/drop-target.tsx";
import { FileChooser, FileJobs } from "./file-jobs.tsx";
import { MoreButton } from "../parts/more-button.tsx";
import { TranscriptionCard } from "./cards.tsx";
import { type Pages, usePages } from "../parts/pages.ts";
import { SearchForm, SearchResults } from "./search.tsx";
import { useTitle } from "../parts/title.ts";
import { Problem } from "../parts/problem.tsx";

const PAGE_ROWS = 20;

interface TranscriptionsPageProps {
  files: FileTranscription;
}

/** Everything that was transcribed and may be seen, the way to find it, and to add a recording. */
export function TranscriptionsPage({ files }: TranscriptionsPageProps) {
  const { api, router, preferences } = useApp();
  const language = useSignal<SpokenLanguage>(preferences.language.value === "hi" ? "hi" : "en");
  const query = router.place.value.query;
  const text = (query.get("q") ?? "").trim();
  const list = usePages<Transcription>(async (after, signal) => {
    const asked = { order: "newest", limit: PAGE_ROWS + 1, after };
    const rows = await api.get<Transcription[]>("/v1/transcriptions", asked, signal);
    const page = rows.slice(0, PAGE_ROWS);
    return { rows: page, next: rows.length > PAGE_ROWS ? (page.at(-1)?.id ?? null) : null };
  }, []);
  useTitle("Transcriptions");
  useReloadAfterFiles(files, list);

  const add = (chosen: readonly File[]): void => files.add(chosen, language.value);
  return (
    <DropTarget promise="it is written down" onFiles={add}>
      <div class="page stack">
        <header class="transcriptions-head">
          <h1>Transcriptions</h1>
          <FileChooser language={language} onFiles={add} />
        </header>
        <FileJobs files={files} />
        <SearchForm />
        {text === "" ? (
          <List list={list} />
        ) : (
          <SearchResults text={text} language={query.get("language")} />
        )}
      </div>
    </DropTarget>
  );
}

function List({ list }: { list: Pages<Transcription> }) {
  const rows = list.rows.value;
  return (
    <section class="stack tight" aria-labelledby="list-heading" aria-busy={list.isLoading.value}>
      <h2 id="list-heading" class="spoken">
        Newest first
      </h2>
      <Problem text={list.error.value} />
      {rows === null && list.error.value === null && <p class="muted">Looking…</p>}
      {rows?.length === 0 && (
        <div class="empty">
          <Icon name="transcriptions" />
          <p>
            Nothing has been transcribed yet.
            <br />
            Speak in a room, or drop a recording anywhere on this page.
          </p>
        </div>
      )}
      {rows !== null && rows.length > 0 && (
        <ul class="stack tight listed">
          {rows.map((row) => (
            <li key={row.id}>
              <TranscriptionCard row={row} />
            </li>
          ))}
        </ul>
      )}
      <MoreButton
        label="Older ones"
        hasMore={list.hasMore.value}
        isLoading={list.isLoading.value}
        onMore={list.more}
      />
    </section>
  );
}

/** What a file has become belongs to the list. */
function useReloadAfterFiles(files: FileTranscription, list: Pages<Transcription>): void {
  const over = useComputed(
    () =>
      files.jobs.value.filter(({ view }) => isOver(view.value) && view.value.state !== "failed")
        .length,
  );
  const seen = useRef(over.peek());
  useSignalEffect(() => {
    if (over.value > seen.current) list.reload();
    seen.current = over.value;
  });
}
