import { useSignal } from "@preact/signals";
import type { ExportFormat } from "../../features/transcription/kept-model.ts";
import { saveFile } from "../parts/save-file.ts";
import { type Api, reasonOf } from "../api.ts";
import { useApp } from "../context.ts";
import { Dialog } from "../parts/dialog.tsx";
import { Icon } from "../parts/icon.tsx";
import type { TextForm } from "./marks.ts";
import { Problem } from "../parts/problem.tsx";

const FORMATS: readonly [ExportFormat, string][] = [
  ["txt", "Text"],
  ["srt", "Subtitles (SRT)"],
  ["vtt", "Subtitles for the web (VTT)"],
  ["json", "Everything, for programs (JSON)"],
];

interface DownloadDialogProps {
  id: number;
  form: TextForm;
  onClose(): void;
}

export function DownloadDialog({ id, form, onClose }: DownloadDialogProps) {
  const { api } = useApp();
  const problem = useSignal<string | null>(null);
  const told = useSignal("");
  const get = async (format: ExportFormat): Promise<void> => {
    problem.value = null;
    told.value = "Fetching the file…";
    try {
      told.value = `${await download(api, id, format, form)} is saved`;
    } catch (error) {
      told.value = "";
      problem.value = reasonOf(error);
    }
  };
  return (
    <Dialog title="Download" onClose={onClose}>
      <p class="muted">The words {form === "heard" ? "as heard" : "as cleaned"}, in a file.</p>
      <ul class="stack tight listed">
        {FORMATS.map(([format, words]) => (
          <li key={format}>
            <button type="button" class="button wide" onClick={() => void get(format)}>
              <Icon name="download" />
              {words}
            </button>
          </li>
        ))}
      </ul>
      <Problem text={problem.value} />
      <p class="muted small told" role="status">
        {told.value}
      </p>
    </Dialog>
  );
}

/** A plain link would not say who one is. Answers the file's name; throws what the server answers. */
async function download(
  api: Api,
  id: number,
  format: ExportFormat,
  form: TextForm,
): Promise<string> {
  const text = form === "heard" ? "spoken" : "processed";
  const answer = await api.fetch(`/v1/transcriptions/${id}/export`, {}, { format, text });
  const name = nameIn(answer.headers.get("content-disposition")) ?? `transcription-${id}.${format}`;
  saveFile(await answer.blob(), name);
  return name;
}

function nameIn(disposition: string | null): string | null {
  const [, encoded] = /filename\*=UTF-8''([^;]+)/.exec(disposition ?? "") ?? [];
  if (encoded !== undefined) return decodeURIComponent(encoded);
  const [, plain] = /filename="([^"]+)"/.exec(disposition ?? "") ?? [];
  return plain ?? null;
}
