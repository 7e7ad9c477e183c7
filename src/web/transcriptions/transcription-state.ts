import { type ReadonlySignal, computed, signal } from "@preact/signals";
import type { KeptSegment, SegmentsPage } from "../../features/transcription/kept-model.ts";
import type { Transcription } from "../../features/transcription/model.ts";
import { type Api, ApiError, reasonOf } from "../api.ts";

/** What an edit changes: one segment, the whole text or the title. */
export type Change =
  | { segment_id: string; text: string }
  | { transcription: string }
  | { title: string | null };

/** One transcription on the screen. */
export interface OpenTranscription {
  /** Null before it has come. */
  row: ReadonlySignal<Transcription | null>;
  /** In order; null before the first have come. */
  segments: ReadonlySignal<readonly KeptSegment[] | null>;
  problem: ReadonlySignal<string | null>;
  /** Reads it, and goes on reading while it is spoken; answers what ends that. */
  open(): () => void;
  /** Throws what the server answers. After a conflict the next try is not one any more. */
  edit(change: Change): Promise<void>;
  /** Throws what the server answers. */
  remove(): Promise<void>;
}

interface KeptPage {
  after: number;
  segments: readonly KeptSegment[];
}

/** What is being spoken is looked at so often. */
const LIVE_EVERY_MS = 3_000;
const CONFLICT = 409;

export function openTranscription(api: Api, id: number): OpenTranscription {
  const path = `/v1/transcriptions/${id}`;
  const row = signal<Transcription | null>(null);
  const pages = signal<readonly KeptPage[] | null>(null);
  const problem = signal<string | null>(null);

  const pageAfter = (after: number): Promise<SegmentsPage> =>
    api.get<SegmentsPage>(`${path}/segments`, { after });

  /** Reads the pages from one of them on; the first time they are shown as they come. */
  const readFrom = async (first: number): Promise<void> => {
    const isFirst = pages.value === null;
    const read = (pages.value ?? []).slice(0, first);
    let after: number | null = pages.value?.[first]?.after ?? 0;
    while (after !== null) {
      const page: SegmentsPage = await pageAfter(after);
      if (page.segments.length > 0) read.push({ after, segments: page.segments });
      if (isFirst) pages.value = [...read];
      after = page.next;
    }
    pages.value = read;
  };

  /** Whether there may be more later. */
  const refresh = async (): Promise<boolean> => {
    try {
      const before = row.value;
      row.value = await api.get<Transcription>(path);
      // Only its end grows; when it is over, what was edited elsewhere meanwhile is read as well.
      const isGrowing = before?.status === "live" && row.value.status === "live";
      await readFrom(isGrowing ? Math.max(0, (pages.value?.length ?? 0) - 1) : 0);
      problem.value = null;
      return row.value.status === "live";
    } catch (error) {
      problem.value = reasonOf(error);
      // What the server refuses stays so; that it is out of reach does not.
      return !(error instanceof ApiError);
    }
  };

  /** An edit of one segment is read again with its page; others may change all of them. */
  const readChanged = async (change: Change): Promise<void> => {
    if (!("segment_id" in change)) return readFrom(0);
    const isThere = ({ segments }: KeptPage): boolean =>
      segments.some((segment) => segment.segment_id === change.segment_id);
    const changed = pages.value?.find(isThere);
    if (changed === undefined) return;
    const { segments } = await pageAfter(changed.after);
    pages.value = (pages.value ?? []).map((page) =>
      page === changed ? { ...page, segments } : page,
    );
  };

  return {
    row,
    segments: computed(() => pages.value?.flatMap(({ segments }) => segments) ?? null),
    problem,
    open: () => {
      let isOpen = true;
      let timer: ReturnType<typeof setTimeout>;
      const look = async (): Promise<void> => {
        const hasMore = await refresh();
        if (isOpen && hasMore) timer = setTimeout(() => void look(), LIVE_EVERY_MS);
      };
      void look();
      return () => {
        isOpen = false;
        clearTimeout(timer);
      };
    },
    edit: async (change) => {
      // What is being spoken changes all the time; what was read of it says nothing about an editor.
      const isLive = row.value?.status === "live";
      try {
        const seen = isLive ? {} : { updated_at: row.value?.updated_at };
        row.value = await api.send<Transcription>("PATCH", path, { ...change, ...seen });
      } catch (error) {
        if (error instanceof ApiError && error.status === CONFLICT) await refresh();
        throw error;
      }
      await readChanged(change);
    },
    remove: () => api.send("DELETE", path),
  };
}
