import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import {
  type CaptionsClient,
  type CaptionsOptions,
  connectCaptions,
} from "../../client/captions.ts";
import { type DecodedSound, decodeFile } from "./decoding.ts";

export type SpokenLanguage = "en" | "hi" | "auto";
const OVER = ["done", "cancelled", "failed"] as const;
export type FileState = "waiting" | "reading" | "hearing" | "ending" | (typeof OVER)[number];

/** What is known of one file on its way to words. */
export interface FileView {
  state: FileState;
  processedMs: number;
  lengthMs: number;
  /** The newest words that will not change any more, a piece for each pause. */
  said: readonly string[];
  /** Words that may still change. */
  interim: string;
  /** Where the words are kept; null before the first. */
  transcriptionId: number | null;
  wordCount: number;
  /** What went wrong, or what it waits for, in words. */
  problem: string | null;
}

export interface FileJob {
  id: number;
  name: string;
  view: ReadonlySignal<FileView>;
}

/** Files that become transcriptions, one after the other. */
export interface FileTranscription {
  jobs: ReadonlySignal<readonly FileJob[]>;
  add(files: readonly File[], language: SpokenLanguage): void;
  /** Ends one; the words until then are kept. */
  cancel(job: FileJob): void;
  /** Takes one that is over out of the list. */
  forget(job: FileJob): void;
  /** Cancels them all, as when somebody else comes. */
  close(): void;
}

export interface FileTranscriptionDependencies {
  /** Who speaks, for the socket. */
  identity(): Omit<CaptionsOptions, "start" | "listener">;
  window: Window;
}

interface OwnJob extends FileJob {
  view: Signal<FileView>;
  file: File;
  language: SpokenLanguage;
  /** Ends what it is doing now. */
  end(): void;
}

/** Sound is sent so far ahead of what is recognised; the rest waits in the file. */
const AHEAD_MS_MAX = 20_000;
const PIECE_MS = 500;
/** Pieces that are shown; older ones are on the transcription's own page. */
const SHOWN_PIECES_MAX = 30;
const TITLE_CHARACTERS_MAX = 200;
/** Past it an end that does not come is not waited for. */
const ENDING_MS_MAX = 10_000;
const BEGINNING: FileView = {
  state: "waiting",
  processedMs: 0,
  lengthMs: 0,
  said: [],
  interim: "",
  transcriptionId: null,
  wordCount: 0,
  problem: null,
};

export function isOver({ state }: FileView): boolean {
  return OVER.some((over) => over === state);
}

export function createFileTranscription({
  identity,
  window,
}: FileTranscriptionDependencies): FileTranscription {
  const jobs = signal<readonly OwnJob[]>([]);
  let ids = 0;
  let isRunning = false;

  const runAll = async (): Promise<void> => {
    if (isRunning) return;
    isRunning = true;
    for (;;) {
      const job = jobs.value.find(({ view }) => view.value.state === "waiting");
      if (job === undefined) break;
      await run(job, identity);
    }
    isRunning = false;
  };

  // Leaving the page would end what is under way.
  const holdBack = (event: Event): void => {
    if (jobs.value.some(({ view }) => !isOver(view.value))) event.preventDefault();
  };
  window.addEventListener("beforeunload", holdBack);

  return {
    jobs,
    add: (files, language) => {
      const added = files.map((file): OwnJob => {
        const view = signal(BEGINNING);
        const end = () => show(view, { state: "cancelled" });
        return { id: ++ids, name: file.name, view, file, language, end };
      });
      jobs.value = [...jobs.value, ...added];
      void runAll();
    },
    cancel: ({ id }) => jobs.value.find((job) => job.id === id)?.end(),
    forget: ({ id }) => {
      jobs.value = jobs.value.filter((job) => job.id !== id);
    },
    close: () => {
      window.removeEventListener("beforeunload", holdBack);
      for (const job of jobs.value) if (!isOver(job.view.value)) job.end();
    },
  };
}

function show(view: Signal<FileView>, change: Partial<FileView>): void {
  view.value = { ...view.value, ...change };
}

/** Turns one file into words; whatever goes wrong is shown. */
async function run(
  job: OwnJob,
  identity: FileTranscriptionDependencies["identity"],
): Promise<void> {
  const { view, file } = job;
  try {
    show(view, { state: "reading" });
    const sound = await decodeFile(file);
    if (isOver(view.value)) return;
    show(view, { state: "hearing", lengthMs: sound.lengthMs });
    await hear(job, sound, identity());
  } catch (error) {
    if (isOver(view.value)) return;
    show(view, {
      state: "failed",
      problem: error instanceof Error ? error.message : String(error),
    });
  }
}

/** Resolves at the end of the words; throws an error that can be shown. */
async function hear(
  job: OwnJob,
  sound: DecodedSound,
  who: ReturnType<FileTranscriptionDependencies["identity"]>,
): Promise<void> {
  const { view, name, language } = job;
  const pieceLength = (sound.sampleRate * PIECE_MS) / 1_000;
  const ended = Promise.withResolvers<void>();
  let at = 0;
  let isStopping = false;
  let isCancelled = false;
  let captions: CaptionsClient | null = null;

  const finish = async (client: CaptionsClient): Promise<void> => {
    isStopping = true;
    const done = await client.stop();
    if (done === null) throw new Error(view.value.problem ?? "The line broke before the end");
    // Who cancels when all of it has been sent is too late.
    const isPart = isCancelled && done.duration_ms + PIECE_MS < sound.lengthMs;
    show(view, {
      state: isPart ? "cancelled" : "done",
      transcriptionId: done.transcription_id,
      wordCount: done.word_count,
      processedMs: isPart ? done.duration_ms : sound.lengthMs,
      interim: "",
      problem: null,
    });
    ended.resolve();
  };

  const pump = (): void => {
    if (captions === null || isStopping) return;
    while (at < sound.length && captions.waitingMs() < AHEAD_MS_MAX) {
      captions.send(sound.read(at, at + pieceLength));
      at += pieceLength;
    }
    if (at >= sound.length) finish(captions).catch(ended.reject);
  };

  job.end = () => {
    if (captions === null || view.value.state !== "hearing") return;
    isCancelled = true;
    show(view, { state: "ending" });
    if (!isStopping) finish(captions).catch(ended.reject);
    setTimeout(() => captions?.close(), ENDING_MS_MAX);
  };

  captions = connectCaptions({
    ...who,
    start: {
      language,
      sample_rate: sound.sampleRate,
      title: [...name].slice(0, TITLE_CHARACTERS_MAX).join(""),
      store: true,
    },
    listener: {
      ready: ({ transcription_id: transcriptionId }) => {
        show(view, { transcriptionId, problem: null });
        pump();
      },
      progress: ({ processedMs }) => {
        show(view, { processedMs });
        pump();
      },
      partial: ({ text }) => show(view, { interim: text }),
      final: ({ text }) => {
        const said = [...view.value.said, text].slice(-SHOWN_PIECES_MAX);
        show(view, { said, interim: "" });
      },
      refused: ({ message, retryable }) => {
        show(view, { problem: message });
        // What passes by itself is tried again without anybody's doing.
        if (!retryable) ended.reject(new Error(message));
      },
      state: (state) => {
        if (state === "waiting" && view.value.problem === null) {
          show(view, { problem: "The line is down; it goes on as soon as it is back" });
        }
        if (state === "closed")
          ended.reject(new Error(view.value.problem ?? "The server ended it"));
      },
    },
  });
  pump();
  try {
    await ended.promise;
  } finally {
    captions.close();
  }
}
