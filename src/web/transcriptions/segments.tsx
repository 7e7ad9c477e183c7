import { useSignal } from "@preact/signals";
import { memo } from "preact/compat";
import { useEffect, useRef } from "preact/hooks";
import type { KeptSegment } from "../../features/transcription/kept-model.ts";
import { Icon } from "../parts/icon.tsx";
import { lengthOf } from "../parts/times.ts";
import { InPlace, useFocusAfter } from "./in-place.tsx";
import { Legend, Marked } from "./marked.tsx";
import { type MarkKind, type TextForm, marksOf, textOf } from "./marks.ts";
import type { OpenTranscription } from "./transcription-state.ts";

interface SegmentsProps {
  transcription: OpenTranscription;
  form: TextForm;
  /** The segment that a search has led to. */
  found: string | null;
}

const NAMED_CHARACTERS = 40;

/** The words in their order, each piece with its place in the sound. */
export function Segments({ transcription, form, found }: SegmentsProps) {
  const segments = transcription.segments.value;
  const isLive = transcription.row.value?.status === "live";
  if (segments === null) return <p class="muted">Fetching the words…</p>;
  if (segments.length === 0) return <NoWords transcription={transcription} isLive={isLive} />;
  const kinds = new Set<MarkKind>(
    segments.flatMap((segment) => marksOf(segment, form).map(({ kind }) => kind)),
  );
  const lines = (
    <ol class="segments">
      {segments.map((segment) => (
        <SegmentLine
          key={segment.segment_id}
          segment={segment}
          form={form}
          transcription={transcription}
          isFound={segment.segment_id === found}
        />
      ))}
    </ol>
  );
  return (
    <section class="stack tight" aria-labelledby="words-heading">
      <h2 id="words-heading" class="spoken">
        Words
      </h2>
      <Legend kinds={kinds} />
      {/* New ones are told politely to those who listen. */}
      {isLive ? (
        <div role="log" aria-labelledby="words-heading">
          {lines}
        </div>
      ) : (
        lines
      )}
    </section>
  );
}

interface SegmentLineProps {
  segment: KeptSegment;
  form: TextForm;
  transcription: OpenTranscription;
  isFound: boolean;
}

const SegmentLine = memo(({ segment, form, transcription, isFound }: SegmentLineProps) => {
  const isEditing = useSignal(false);
  const button = useFocusAfter(isEditing.value);
  const line = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (isFound) line.current?.scrollIntoView({ block: "center" });
  }, [isFound]);
  const { segment_id: segmentId, text, start_ms: startMs, end_ms: endMs, language } = segment;
  const isTimed = endMs > 0;
  const shown = textOf(segment, form);
  const close = (): void => {
    isEditing.value = false;
  };
  return (
    <li ref={line} class={`segment ${isTimed ? "timed" : ""} ${isFound ? "found" : ""}`}>
      {isTimed && <time class="muted small">{lengthOf(startMs)}</time>}
      {isEditing.value ? (
        <InPlace
          label={isTimed ? `Words at ${lengthOf(startMs)}, as heard` : "Words, as heard"}
          value={text}
          onSave={(edited) => transcription.edit({ segment_id: segmentId, text: edited })}
          onClose={close}
        />
      ) : (
        <p class="words" dir="auto" lang={language}>
          {shown === "" ? (
            <i class="muted">no words</i>
          ) : (
            <Marked text={shown} marks={marksOf(segment, form)} />
          )}
        </p>
      )}
      <button
        ref={button}
        type="button"
        class="button plain icon"
        hidden={isEditing.value}
        aria-label={`Edit: ${shown.slice(0, NAMED_CHARACTERS)}`}
        title="Edit"
        onClick={() => {
          isEditing.value = true;
        }}
      >
        <Icon name="edit" />
      </button>
    </li>
  );
});

/** A text can be written where nothing was understood. */
function NoWords({ transcription, isLive }: { transcription: OpenTranscription; isLive: boolean }) {
  const isEditing = useSignal(false);
  const button = useFocusAfter(isEditing.value);
  if (isLive) return <p class="muted">Listening. The first words come here by themselves.</p>;
  return (
    <div class={isEditing.value ? "" : "empty"}>
      {isEditing.value ? (
        <InPlace
          label="The whole text"
          value=""
          onSave={(text) => transcription.edit({ transcription: text })}
          onClose={() => {
            isEditing.value = false;
          }}
        />
      ) : (
        <>
          <p>No words were understood.</p>
          <button
            ref={button}
            type="button"
            class="button"
            onClick={() => {
              isEditing.value = true;
            }}
          >
            <Icon name="edit" />
            Write them
          </button>
        </>
      )}
    </div>
  );
}
