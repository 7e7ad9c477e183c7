import { joinSamples } from "./blocks.ts";
import type { OneShotEngine } from "./engine.ts";
import { createLeveller } from "./level.ts";
import type { Listener, ListenerDependencies } from "./listener.ts";
import { later } from "./listener.streaming.ts";
import { type Turn, msOf, samplesIn } from "./segmenter.ts";

/** Sound before and after a voice that goes with it: soft consonants are part of words. */
const MARGIN_MS = 300;
/** Stretches that are worked on at once for one stream; further sound waits. */
const STRETCHES_MAX = 2;

interface Stretch {
  from: number;
  done: Promise<void>;
}

/** Listens with an engine that is given whole utterances, as the gate cuts them. */
export function listenToStretches(
  engine: OneShotEngine,
  { segmenter, language, tell, fail }: ListenerDependencies,
): Listener {
  const leveller = createLeveller();
  const leaving = new AbortController();
  const inFlight: Stretch[] = [];
  /** What was heard since `gatheredFrom`, levelled. */
  let gathered: Float32Array[] = [];
  let gatheredFrom = segmenter.position();
  let turn: Turn | null = null;
  let hasFailed = false;
  let last: Promise<void> = Promise.resolve();

  /** Gives the engine the utterance that ends here; its words are told after those before it. */
  const ask = (isCut: boolean): void => {
    const from = segmenter.voiceFrom();
    const start = Math.max(gatheredFrom, from - samplesIn(MARGIN_MS));
    const voiceTo = segmenter.voiceTo() ?? segmenter.position();
    const to = Math.min(segmenter.position(), voiceTo + samplesIn(MARGIN_MS));
    const samples = joinSamples(gathered).slice(start - gatheredFrom, to - gatheredFrom);
    forget(to);
    segmenter.cut();
    const answer = engine.transcribe(samples, language, leaving.signal);
    // It is awaited below, after those before it.
    answer.catch(() => {});
    const stretch: Stretch = { from: start, done: Promise.resolve() };
    stretch.done = last.then(async () => {
      if (hasFailed) return;
      try {
        const heard = later(await answer, msOf(start));
        // First, because the place that is told with its words is behind them.
        inFlight.splice(inFlight.indexOf(stretch), 1);
        if (heard.text !== "") tell({ type: "final", heard, from, to, isCut });
      } catch (error) {
        hasFailed = true;
        fail(error);
      }
    });
    inFlight.push(stretch);
    last = stretch.done;
  };

  const forget = (before: number): void => {
    const rest = joinSamples(gathered).subarray(Math.max(0, before - gatheredFrom));
    gatheredFrom = segmenter.position() - rest.length;
    gathered = rest.length === 0 ? [] : [rest];
  };

  /** In its turn, after the words that are still being looked for. */
  const tellEnd = (at: number): void => {
    last = last.then(() => {
      if (!hasFailed) tell({ type: "utterance_end", at });
    });
  };

  return {
    accept: (block) => {
      turn = segmenter.hear(block);
      gathered.push(leveller.level(block));
    },
    collect: () => {
      if (turn === null) return;
      const { startedAt, endedAt, isLong } = turn;
      turn = null;
      if (startedAt !== null) tell({ type: "speech_started", at: startedAt });
      if ((endedAt !== null || isLong) && segmenter.hasVoice()) ask(false);
      if (endedAt !== null) tellEnd(endedAt);
      if (!segmenter.isSpeaking()) forget(segmenter.position() - 2 * samplesIn(MARGIN_MS));
    },
    cut: async (isAsked) => {
      if (segmenter.hasVoice()) ask(isAsked);
      const endedAt = segmenter.end();
      if (endedAt !== null) tellEnd(endedAt);
      await last;
      if (!hasFailed) forget(segmenter.position());
    },
    wait: () => (inFlight.length < STRETCHES_MAX ? null : (inFlight[0]?.done ?? null)),
    processed: () => inFlight[0]?.from ?? segmenter.position(),
    settled: () => inFlight[0]?.from ?? gatheredFrom,
    free: () => leaving.abort(),
  };
}
