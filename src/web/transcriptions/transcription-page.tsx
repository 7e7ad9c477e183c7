import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { Transcription } from "../../features/transcription/model.ts";
import { useApp } from "../context.ts";
import { Dialog } from "../parts/dialog.tsx";
import { Icon, type IconName } from "../parts/icon.tsx";
import { Summary } from "../parts/summary.tsx";
import { DownloadDialog } from "./exports.tsx";
import { InPlace, useFocusAfter } from "./in-place.tsx";
import type { TextForm } from "./marks.ts";
import { RemoveDialog } from "./remove-dialog.tsx";
import { RevisionsDialog } from "./revisions.tsx";
import { Segments } from "./segments.tsx";
import { useTitle } from "../parts/title.ts";
import { Facts, StatusBadge, nameOf } from "./told.tsx";
import { type OpenTranscription, openTranscription } from "./transcription-state.ts";
import { Problem } from "../parts/problem.tsx";

type Open = "summary" | "download" | "revisions" | "remove" | null;

const TITLE_CHARACTERS_MAX = 200;

/** One transcription: its words, what became of them, and what can be done with them. */
export function TranscriptionPage({ id }: { id: string }) {
  const { api, router } = useApp();
  const transcription = useMemo(() => openTranscription(api, Number(id)), [api, id]);
  useEffect(() => transcription.open(), [transcription]);
  const form = useSignal<TextForm>("heard");
  const open = useSignal<Open>(null);
  const name = useComputed(() => {
    const { value: row } = transcription.row;
    return row === null ? "Transcription" : nameOf(row);
  });
  useTitle(name.value);
  const row = transcription.row.value;
  return (
    <article class="page stack" aria-busy={row === null && transcription.problem.value === null}>
      <a class="back to-list" href="/transcriptions">
        All transcriptions
      </a>
      <Heading transcription={transcription} name={name.value} />
      <Problem text={transcription.problem.value} />
      {row !== null && (
        <>
          <div class="row apart transcription-tools">
            <FormSwitch form={form.value} onChange={(next) => (form.value = next)} />
            <Tools onOpen={(next) => (open.value = next)} />
          </div>
          <Segments
            transcription={transcription}
            form={form.value}
            found={router.place.value.query.get("segment")}
          />
          <Dialogs
            row={row}
            transcription={transcription}
            form={form.value}
            open={open.value}
            onClose={() => (open.value = null)}
          />
        </>
      )}
    </article>
  );
}

function Heading({ transcription, name }: { transcription: OpenTranscription; name: string }) {
  const isEditing = useSignal(false);
  const button = useFocusAfter(isEditing.value);
  const row = transcription.row.value;
  return (
    <header class="stack tight">
      <div class="transcription-title">
        <h1 dir="auto" class={isEditing.value ? "spoken" : ""}>
          {name}
        </h1>
        {isEditing.value && (
          <InPlace
            label="Title"
            value={row?.title ?? ""}
            maxLength={TITLE_CHARACTERS_MAX}
            onSave={(title) => transcription.edit({ title: title === "" ? null : title })}
            onClose={() => {
              isEditing.value = false;
            }}
          />
        )}
        <button
          ref={button}
          type="button"
          class="button plain icon"
          hidden={isEditing.value || row === null}
          aria-label="Edit the title"
          title="Edit the title"
          onClick={() => {
            isEditing.value = true;
          }}
        >
          <Icon name="edit" />
        </button>
      </div>
      <div class="row facts-row">
        {row !== null && <Facts row={row} isLinked />}
        {row !== null && <StatusBadge status={row.status} />}
      </div>
    </header>
  );
}

function FormSwitch({ form, onChange }: { form: TextForm; onChange(form: TextForm): void }) {
  const button = (own: TextForm, words: string) => (
    <button type="button" class="button" aria-pressed={form === own} onClick={() => onChange(own)}>
      {words}
    </button>
  );
  return (
    <div class="switch" role="group" aria-label="Which words">
      {button("heard", "As heard")}
      {button("cleaned", "Cleaned")}
    </div>
  );
}

const TOOLS: readonly [Exclude<Open, null>, string, IconName][] = [
  ["summary", "Sum up", "summary"],
  ["download", "Download", "download"],
  ["revisions", "What changed", "transcriptions"],
  ["remove", "Delete", "remove"],
];

function Tools({ onOpen }: { onOpen(what: Open): void }) {
  return (
    <div class="tools">
      {TOOLS.map(([what, words, icon]) => (
        <button key={what} type="button" class="button plain" onClick={() => onOpen(what)}>
          <Icon name={icon} />
          {words}
        </button>
      ))}
    </div>
  );
}

interface DialogsProps {
  row: Transcription;
  transcription: OpenTranscription;
  form: TextForm;
  open: Open;
  onClose(): void;
}

function Dialogs({ row, transcription, form, open, onClose }: DialogsProps) {
  switch (open) {
    case null:
      return null;
    case "summary":
      return (
        <Dialog title="In short" onClose={onClose}>
          <Summary of={`/v1/transcriptions/${row.id}/summary`} />
        </Dialog>
      );
    case "download":
      return <DownloadDialog id={row.id} form={form} onClose={onClose} />;
    case "revisions":
      return <RevisionsDialog id={row.id} transcription={transcription} onClose={onClose} />;
    case "remove":
      return <RemoveDialog row={row} transcription={transcription} onClose={onClose} />;
  }
}
