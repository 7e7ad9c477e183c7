import { type Cue, VTT_HEADER, createCues, srtCue, vttCue } from "../../text/subtitles.ts";
import type { ExportFormat } from "./kept-model.ts";
import type { Transcription } from "./model.ts";
import type { SegmentRow } from "./store.ts";

export interface ExportRequest {
  format: ExportFormat;
  /** Which text: as spoken and edited, or cleaned. JSON has both. */
  isProcessed: boolean;
  row: Transcription;
  /** Segments in order, after the row `after`. */
  page(after: number): Promise<SegmentRow[]>;
}

const CONTENT_TYPES: Record<ExportFormat, string> = {
  txt: "text/plain; charset=utf-8",
  json: "application/json",
  srt: "application/x-subrip; charset=utf-8",
  vtt: "text/vtt; charset=utf-8",
};
/** What is handed over at once; a long export goes as the client takes it. */
const PIECE_CHARACTERS = 32 * 1024;
const NAME_CHARACTERS_MAX = 80;

/** A transcription as a file. It is read while it is sent, so that none is ever whole in memory. */
export function exportAnswer(request: ExportRequest): Response {
  const texts = textsOf(request);
  const body = new ReadableStream<string>({
    pull: async (controller) => {
      let piece = "";
      while (piece.length < PIECE_CHARACTERS) {
        const next = await texts.next();
        if (next.done === true) {
          if (piece !== "") controller.enqueue(piece);
          return controller.close();
        }
        piece += next.value;
      }
      controller.enqueue(piece);
      // Others have their turn between two pieces, also when the client is quick.
      await new Promise((resolve) => setImmediate(resolve));
    },
    cancel: async () => void (await texts.return(undefined)),
  });
  return new Response(body.pipeThrough(new TextEncoderStream()), {
    headers: {
      "content-type": CONTENT_TYPES[request.format],
      "content-disposition": dispositionOf(request.row, request.format),
      "x-content-type-options": "nosniff",
    },
  });
}

async function* textsOf(request: ExportRequest): AsyncGenerator<string, undefined> {
  const { format } = request;
  if (format === "json") yield* jsonTexts(request);
  else if (format === "txt") yield* lineTexts(request);
  else yield* subtitleTexts(request, format);
  return undefined;
}

async function* segmentsOf({ page }: ExportRequest): AsyncGenerator<SegmentRow> {
  let after = 0;
  for (;;) {
    const rows = await page(after);
    const last = rows.at(-1);
    if (last === undefined) return;
    yield* rows;
    after = last.id;
  }
}

async function* lineTexts(request: ExportRequest): AsyncGenerator<string> {
  for await (const segment of segmentsOf(request)) {
    const text = textOf(segment, request.isProcessed);
    if (text !== "") yield `${text}\n`;
  }
}

async function* jsonTexts(request: ExportRequest): AsyncGenerator<string> {
  yield `${JSON.stringify(request.row).slice(0, -1)},"segments":[`;
  let separator = "\n";
  for await (const segment of segmentsOf(request)) {
    const { segment_id, seq, text, processed_text, start_ms, end_ms } = segment;
    const { language, confidence, words } = segment;
    const told = { segment_id, seq, text, processed_text, start_ms, end_ms };
    yield separator + JSON.stringify({ ...told, language, confidence, words });
    separator = ",\n";
  }
  yield "\n]}\n";
}

async function* subtitleTexts(
  request: ExportRequest,
  format: "srt" | "vtt",
): AsyncGenerator<string> {
  const cues = createCues();
  let count = 0;
  const write = (cue: Cue): string => (format === "vtt" ? vttCue(cue) : srtCue(cue, ++count));
  if (format === "vtt") yield VTT_HEADER;
  for await (const segment of segmentsOf(request)) {
    const spoken = {
      text: textOf(segment, request.isProcessed),
      startMs: segment.start_ms,
      endMs: segment.end_ms,
      words: segment.words.map(({ word, start_ms, end_ms }) => ({
        word,
        startMs: start_ms,
        endMs: end_ms,
      })),
    };
    for (const cue of cues.of(spoken)) yield write(cue);
  }
  for (const cue of cues.rest()) yield write(cue);
}

/** What is not processed yet is told as it was spoken. */
function textOf({ text, processed_text: processed }: SegmentRow, isProcessed: boolean): string {
  return isProcessed ? (processed ?? text) : text;
}

/** The name as everybody reads it, and the title as it is for those who know RFC 6266. */
function dispositionOf({ id, title }: Transcription, format: ExportFormat): string {
  const plain = `transcription-${id}.${format}`;
  const name = (title ?? "")
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}/\\:*?"<>|]/gu, " ")
    .replace(/\s+/gu, " ")
    .replace(/^[ .]+|[ .]+$/gu, "");
  if (name === "") return `attachment; filename="${plain}"`;
  const whole = `${Array.from(name).slice(0, NAME_CHARACTERS_MAX).join("")}.${format}`;
  if (/^[\x20-\x7E]*$/.test(whole)) return `attachment; filename="${whole.replaceAll("%", "_")}"`;
  const encoded = encodeURIComponent(whole).replace(
    /['()*]/g,
    (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
