import type { Static } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { firstCharacters } from "../../../http/characters.ts";
import type { Connection, Protocol } from "../../../realtime/connection.ts";
import { type RawFrame, misfit } from "../../../realtime/frames.ts";
import { Refusal } from "../../../realtime/refusal.ts";
import { UnsupportedAudio } from "../../../speech/audio.ts";
import { createWavParser } from "../../../speech/wav.ts";
import type { Languages } from "../languages.ts";
import { OneFrame } from "../model.ts";
import type { TranscriptionService } from "../service.ts";
import { wavOf } from "../wav-text.ts";

const TEXT_CHARACTERS = 20;

const check = TypeCompiler.Compile(OneFrame);

/** Throws `Refusal` unless the frame belongs to this dialect. */
export function checkOneFrame(frame: RawFrame): Static<typeof OneFrame> {
  if (!check.Check(frame)) throw misfit(check, frame);
  return frame;
}

/**
 * One frame, one answer: `{user_id,language,audio}` is kept and answered by
 * `{"message_id","text","type"}`, in order. Nothing is recognised until it is saved.
 */
export function openOneFrame(
  connection: Connection,
  service: TranscriptionService,
  languages: Languages,
): Protocol {
  return {
    frame: async (frame) => {
      const { user_id, language, audio } = checkOneFrame(frame);
      refuseUnusable(audio, language, languages);
      const messageId = await service.keep(connection.visitor.caller, user_id, language, audio);
      connection.send({
        message_id: messageId,
        text: firstCharacters(audio, TEXT_CHARACTERS),
        type: language,
      });
    },
    binary: () => {
      throw new Refusal("bad_request", "this socket takes text frames; `start` was not the first");
    },
    drain: () => {},
    closed: () => {},
  };
}

/** Sound that could never be recognised is refused now, not when everything is to be saved. */
function refuseUnusable(audio: string, language: string, languages: Languages): void {
  const wav = wavOf(audio);
  if (wav === null) return;
  languages.check(language);
  try {
    createWavParser().push(wav);
  } catch (error) {
    if (error instanceof UnsupportedAudio) throw new Refusal("unsupported_audio", error.message);
    throw error;
  }
}
