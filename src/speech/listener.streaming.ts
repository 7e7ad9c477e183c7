import type { Heard, StreamingEngine } from "./engine.ts";
import { createLeveller } from "./level.ts";
import type { Listener, ListenerDependencies } from "./listener.ts";
import { msOf, samplesIn } from "./segmenter.ts";
import type { Turn } from "./segmenter.ts";

/** Before a voice is noticed it has spoken for a moment. */
const NOTICED_MS = 500;

/**
 * Listens with an engine that tells words while they are spoken. The gate ends utterances, and the
 * engine's own endpoints end some of them earlier; words where nobody spoke are not told.
 */
export function listenAlong(
  engine: StreamingEngine,
  { segmenter, language, tell }: ListenerDependencies,
): Listener {
  const recogniser = engine.open(language);
  const leveller = createLeveller();
  const startedMs = msOf(segmenter.position());
  let settled = segmenter.position();
  let shown = "";
  let turn: Turn | null = null;

  const finish = (heard: Heard, isCut: boolean): void => {
    const from = segmenter.voiceFrom();
    const isSpoken = heard.text !== "" && segmenter.hasVoice();
    if (!isSpoken && shown !== "") tell({ type: "partial", text: "", from });
    segmenter.cut();
    shown = "";
    settled = segmenter.position();
    if (isSpoken) {
      tell({ type: "final", heard: later(heard, startedMs), from, to: settled, isCut });
    }
  };

  const collect = (): void => {
    if (turn === null) return;
    const { startedAt, endedAt, isLong } = turn;
    turn = null;
    if (startedAt !== null) tell({ type: "speech_started", at: startedAt });
    if (recogniser.hasEnded()) finish(recogniser.ended(), false);
    else if (segmenter.hasVoice()) showPartial();
    if ((endedAt !== null || isLong) && segmenter.hasVoice()) {
      const silentMs = msOf(segmenter.position() - (segmenter.voiceTo() ?? 0));
      finish(silentMs >= recogniser.lagMs ? recogniser.ended() : recogniser.final(), false);
    }
    if (endedAt !== null) tell({ type: "utterance_end", at: endedAt });
    if (!segmenter.isSpeaking()) {
      settled = Math.max(settled, segmenter.position() - samplesIn(NOTICED_MS));
    }
  };

  const showPartial = (): void => {
    const text = recogniser.partial();
    if (text === shown) return;
    shown = text;
    tell({ type: "partial", text, from: segmenter.voiceFrom() });
  };

  return {
    accept: (block) => {
      turn = segmenter.hear(block);
      recogniser.accept(leveller.level(block));
    },
    collect,
    cut: async (isAsked) => {
      if (segmenter.hasVoice()) finish(recogniser.final(), isAsked);
      const endedAt = segmenter.end();
      if (endedAt !== null) tell({ type: "utterance_end", at: endedAt });
    },
    wait: () => null,
    processed: segmenter.position,
    settled: () => settled,
    free: () => recogniser.free(),
  };
}

/** The same words, said later. */
export function later({ words, ...heard }: Heard, ms: number): Heard {
  const moved = words.map((word) => ({
    ...word,
    startMs: Math.round(word.startMs + ms),
    endMs: Math.round(word.endMs + ms),
  }));
  return { ...heard, words: moved };
}
