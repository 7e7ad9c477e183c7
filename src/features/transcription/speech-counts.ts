import { type Family, byLabel, counter, gauge } from "../../platform/metrics.ts";

/** What the live sessions of this process have done, all together, since it began. */
export interface SpeechCounts {
  started: number;
  /** Sessions that went on, here, after their socket or process was gone. */
  resumed: number;
  /** Sessions that were not begun: no recogniser had room, or none was loaded yet. */
  refused: { full: number; starting: number };
  receivedMs: number;
  /** What a recogniser that took over heard again counts again. */
  recognisedMs: number;
  words: number;
  /** Pieces of sound that could not be written down. */
  spoolErrors: number;
}

/** How the sessions stand now. */
export interface SessionsNow {
  live: number;
  parked: number;
  /** How much of each one's sound is not recognised yet. */
  waitingMs: readonly number[];
}

export function createSpeechCounts(): SpeechCounts {
  return {
    started: 0,
    resumed: 0,
    refused: { full: 0, starting: 0 },
    receivedMs: 0,
    recognisedMs: 0,
    words: 0,
    spoolErrors: 0,
  };
}

/** The same for whoever watches. */
export function speechFamilies(counts: SpeechCounts, now: SessionsNow): Family[] {
  return [
    gauge(
      "earshot_speech_sessions",
      "Sessions that somebody speaks in, and those that wait for their client.",
      byLabel("state", [
        ["live", now.live],
        ["parked", now.parked],
      ]),
    ),
    counter(
      "earshot_speech_sessions_begun_total",
      "Sessions that were begun, and those that went on.",
      byLabel("how", [
        ["new", counts.started],
        ["resumed", counts.resumed],
      ]),
    ),
    counter(
      "earshot_speech_sessions_refused_total",
      "Sessions that were refused: the recognisers had no room, or were not loaded.",
      byLabel("reason", Object.entries(counts.refused)),
    ),
    counter(
      "earshot_speech_audio_received_seconds_total",
      "Sound that came for live sessions.",
      counts.receivedMs / 1000,
    ),
    counter(
      "earshot_speech_audio_recognised_seconds_total",
      "Sound of live sessions that recognisers have heard; again, if one took over.",
      counts.recognisedMs / 1000,
    ),
    gauge(
      "earshot_speech_audio_waiting_seconds",
      "Sound of all live sessions that is not recognised yet.",
      now.waitingMs.reduce((sum, ms) => sum + ms, 0) / 1000,
    ),
    gauge(
      "earshot_speech_lag_seconds",
      "The same of the session that is furthest behind.",
      Math.max(0, ...now.waitingMs) / 1000,
    ),
    counter("earshot_speech_words_total", "Words of live sessions.", counts.words),
    counter(
      "earshot_speech_spool_errors_total",
      "Pieces of sound that could not be written beside the database.",
      counts.spoolErrors,
    ),
  ];
}
