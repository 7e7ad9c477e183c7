import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { reasonOf } from "../api.ts";
import { DropTarget } from "../parts/drop-target.tsx";
import { Icon } from "../parts/icon.tsx";
import { type Columns, areEnough, guessColumns } from "./columns.ts";
import { Choice } from "./filters.tsx";
import { columnNamesOf } from "./posts-file.ts";
import type { Sender } from "./sending.ts";
import { SendingPart } from "./sending-part.tsx";
import { Problem } from "../parts/problem.tsx";

interface Chosen {
  file: File;
  names: readonly string[];
  columns: Columns;
}

const MEGABYTE = 1_000_000;

/** Takes a file of posts, asks what its columns are, and sends it. */
export function UploadPanel({ sender }: { sender: Sender }) {
  const chosen = useSignal<Chosen | null>(null);
  const problem = useSignal<string | null>(null);
  const choose = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return;
    problem.value = null;
    try {
      const names = await columnNamesOf(file);
      chosen.value = { file, names, columns: guessColumns(names) };
    } catch (error) {
      chosen.value = null;
      problem.value = `${file.name}: ${reasonOf(error)}`;
    }
  };
  const heading = useRef<HTMLHeadingElement>(null);
  /** What had the focus is gone. */
  const change = (act: () => void): void => {
    act();
    heading.current?.focus();
  };
  const isGoing = sender.sending.value?.state === "going";
  return (
    <section class="stack tight" aria-labelledby="send-heading">
      <h2 id="send-heading" ref={heading} tabIndex={-1}>
        Send posts
      </h2>
      {!isGoing && chosen.value === null && (
        <DropTarget promise="its columns are shown" onFiles={([file]) => void choose(file)}>
          <FileField onFile={(file) => void choose(file)} />
        </DropTarget>
      )}
      <Problem text={problem.value} />
      {!isGoing && chosen.value !== null && (
        <ColumnsForm
          chosen={chosen as Signal<Chosen>}
          onSend={({ file, columns }) =>
            change(() => {
              chosen.value = null;
              void sender.start(file, columns);
            })
          }
          onLeave={() => change(() => (chosen.value = null))}
        />
      )}
      <SendingPart sender={sender} onClear={() => change(sender.clear)} />
    </section>
  );
}

function FileField({ onFile }: { onFile(file: File | undefined): void }) {
  return (
    <label class="drop">
      <Icon name="upload" />
      <b>Choose a CSV or JSONL file</b>
      <span class="muted small">or drop it here. It may be large: it is sent piece by piece.</span>
      <input
        class="spoken"
        type="file"
        accept=".csv,.tsv,.txt,.jsonl,.ndjson,.json"
        onChange={({ currentTarget }) => {
          onFile(currentTarget.files?.[0]);
          // The same file may be chosen again.
          currentTarget.value = "";
        }}
      />
    </label>
  );
}

interface ColumnsFormProps {
  chosen: Signal<Chosen>;
  onSend(chosen: Chosen): void;
  onLeave(): void;
}

/** Which column is what: as their names say, or as is chosen here. */
function ColumnsForm({ chosen, onSend, onLeave }: ColumnsFormProps) {
  const { file, names, columns } = chosen.value;
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => form.current?.querySelector("select")?.focus(), [file]);
  const change = (changes: Partial<Columns>): void => {
    chosen.value = { ...chosen.value, columns: { ...columns, ...changes } };
  };
  const choice = (label: string, field: keyof Omit<Columns, "publicationName">, none: string) => (
    <Choice
      label={label}
      value={columns[field] ?? ""}
      onChange={(name) => change({ [field]: name === "" ? null : name })}
      options={[["", none], ...names.map((name): [string, string] => [name, name])]}
    />
  );
  return (
    <form
      ref={form}
      class="card stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (areEnough(columns)) onSend(chosen.value);
      }}
    >
      <p>
        <b dir="auto">{file.name}</b>{" "}
        <span class="muted">{(file.size / MEGABYTE).toFixed(file.size < MEGABYTE ? 3 : 1)} MB</span>
      </p>
      <div class="columns">
        {choice("Text", "content", "Choose a column")}
        {choice("Publication", "publication", "The same for all")}
        {columns.publication === null && (
          <label class="field">
            <span>Name of the publication</span>
            <input
              class="input"
              required
              maxLength={200}
              value={columns.publicationName}
              dir="auto"
              onInput={({ currentTarget }) => change({ publicationName: currentTarget.value })}
            />
          </label>
        )}
        {choice("Id", "id", "None: known by its text")}
        {choice("Day", "published", "None: today")}
      </div>
      <div class="row">
        <button type="submit" class="button main" disabled={!areEnough(columns)}>
          Send
        </button>
        <button type="button" class="button plain" onClick={onLeave}>
          Another file
        </button>
      </div>
    </form>
  );
}
