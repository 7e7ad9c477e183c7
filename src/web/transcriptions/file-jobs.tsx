import { type Signal, useComputed } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { FILE_BYTES_MAX } from "../audio/decoding.ts";
import {
  type FileJob,
  type FileTranscription,
  type FileView,
  type SpokenLanguage,
  isOver,
} from "../audio/file-transcription.ts";
import { LanguageChoice } from "../parts/language-choice.tsx";
import { Icon } from "../parts/icon.tsx";
import { lengthOf } from "../parts/times.ts";
import { counted } from "../parts/numbers.ts";
import { transcriptionAddress } from "./told.tsx";

interface FileChooserProps {
  language: Signal<SpokenLanguage>;
  onFiles(files: readonly File[]): void;
}

/** The button for those who do not drag, and the language that is spoken in the files. */
export function FileChooser({ language, onFiles }: FileChooserProps) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <div class="row file-chooser">
      <LanguageChoice
        label="Language of the recording"
        value={language.value}
        onChange={(chosen) => {
          language.value = chosen as SpokenLanguage;
        }}
      />
      <button
        type="button"
        class="button main"
        title={`Up to ${FILE_BYTES_MAX / 1024 ** 2} MB each; or drop them anywhere here`}
        onClick={() => input.current?.click()}
      >
        <Icon name="upload" />
        Add recordings
      </button>
      <input
        ref={input}
        type="file"
        class="spoken"
        accept="audio/*,video/*,.opus,.oga,.m4a"
        multiple
        hidden
        aria-label="Recordings"
        onChange={({ currentTarget }) => {
          onFiles([...(currentTarget.files ?? [])]);
          // The same file may be chosen again.
          currentTarget.value = "";
        }}
      />
    </div>
  );
}

/** The files on their way, each with what was understood so far. */
export function FileJobs({ files }: { files: FileTranscription }) {
  if (files.jobs.value.length === 0) return null;
  return (
    <section class="stack tight" aria-labelledby="files-heading">
      <h2 id="files-heading" class="spoken">
        Recordings
      </h2>
      <ul class="stack tight listed">
        {files.jobs.value.map((job) => (
          <li key={job.id} class="card stack tight">
            <Job job={job} files={files} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Job({ job, files }: { job: FileJob; files: FileTranscription }) {
  const view = job.view.value;
  const isActive = view.state === "hearing" || view.state === "ending";
  return (
    <>
      <div class="row apart file-head">
        <div>
          <h3 dir="auto">{job.name}</h3>
          <p class={view.state === "failed" ? "problem" : "muted small"}>{stateInWords(view)}</p>
        </div>
        <span class="row">
          {view.transcriptionId !== null && !isActive && (
            <a class="button" href={transcriptionAddress(view.transcriptionId)}>
              Open<span class="spoken"> {job.name}</span>
            </a>
          )}
          <EndButton job={job} files={files} />
        </span>
      </div>
      {isActive && (
        <progress
          aria-label={`${job.name}: progress`}
          max={Math.max(1, view.lengthMs)}
          value={view.processedMs}
        />
      )}
      {isActive && view.problem !== null && <p class="notice">{view.problem}</p>}
      {isActive && <Words name={job.name} view={view} />}
      <Told job={job} />
    </>
  );
}

function EndButton({ job, files }: { job: FileJob; files: FileTranscription }) {
  const view = job.view.value;
  const over = isOver(view);
  return (
    <button
      type="button"
      class="button plain"
      disabled={view.state === "ending"}
      onClick={() => (over ? files.forget(job) : files.cancel(job))}
    >
      {over ? "Put away" : "Cancel"}
      <span class="spoken"> {job.name}</span>
    </button>
  );
}

/** The newest words; the box is as high as it will ever be, so that nothing jumps. */
function Words({ name, view }: { name: string; view: FileView }) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [view.said, view.interim]);
  return (
    <div class="file-words" ref={box} tabIndex={0} role="group" aria-label={`Words of ${name}`}>
      <p dir="auto">
        {view.said.join(" ")} <span class="unsure">{view.interim}</span>
      </p>
    </div>
  );
}

/** Says aloud what the bar shows: every quarter, and the end. */
function Told({ job }: { job: FileJob }) {
  const told = useComputed(() => {
    const { state, processedMs, lengthMs, problem } = job.view.value;
    if (state !== "hearing") return `${job.name}: ${stateInWords(job.view.value)}`;
    if (problem !== null) return `${job.name}: ${problem}`;
    const quarters = Math.floor((4 * processedMs) / Math.max(1, lengthMs));
    return `${job.name}: ${quarters * 25} percent`;
  });
  return (
    <p class="spoken" role="status">
      {told.value}
    </p>
  );
}

function stateInWords({ state, processedMs, lengthMs, wordCount, problem }: FileView): string {
  const place = `${lengthOf(processedMs)} of ${lengthOf(lengthMs)}`;
  switch (state) {
    case "waiting":
      return "Waits for the one before it";
    case "reading":
      return "Opening the file…";
    case "hearing":
      return `Listening: ${place}`;
    case "ending":
      return `The last words: ${place}`;
    case "done":
      return `Done: ${lengthOf(lengthMs)}, ${counted(wordCount, "word")}`;
    case "cancelled":
      return processedMs === 0
        ? "Cancelled"
        : `Cancelled at ${lengthOf(processedMs)}; the words until then are kept`;
    case "failed":
      return problem ?? "It did not work";
  }
}
