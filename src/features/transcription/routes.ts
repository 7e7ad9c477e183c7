import { Elysia, t } from "elysia";
import { identity } from "../../http/identity.ts";
import { problemSchema } from "../../http/problem.ts";
import { socketDetail } from "../../realtime/frames.ts";
import type { Gateway } from "../../realtime/gateway.ts";
import { openByFirstFrame } from "./dialects/choose.ts";
import { type EditRoutesDependencies, editRoutes } from "./edit-routes.ts";
import { type KeptRoutesDependencies, keptRoutes } from "./kept-routes.ts";
import type { Languages } from "./languages.ts";
import type { LiveTranscriptions } from "./live.ts";
import { OneFrame, streamingClientFrames, transcriptionFrames } from "./model.ts";

export interface TranscriptionRoutesDependencies
  extends KeptRoutesDependencies, EditRoutesDependencies {
  gateway: Gateway;
  live: LiveTranscriptions;
  languages: Languages;
  parkedMs: number;
}

const LIMITS = {
  // Two minutes of 16 kHz sound in base64, the largest thing that one frame may hold.
  textFrameBytesMax: 5 * 1024 * 1024,
  binaryFrameBytesMax: 1024 * 1024,
  idleMs: 60_000,
  isBinaryRated: false,
};

/** Every route of the feature: the socket here, what is kept in files of their own. */
export function transcriptionRoutes(dependencies: TranscriptionRoutesDependencies) {
  const { guard, gateway, service, live, languages, parkedMs } = dependencies;
  const limits = {
    audio_frame_bytes: LIMITS.binaryFrameBytesMax,
    parked_ms: parkedMs,
    ...gateway.announced(LIMITS),
  };
  return new Elysia({ name: "transcription" })
    .use(guard)
    .use(keptRoutes(dependencies))
    .use(editRoutes(dependencies))
    .get(
      "/v1/ws/transcription",
      ({ request, server, visitor }) =>
        gateway.upgrade(request, server, visitor, {
          kind: "transcription",
          limits: LIMITS,
          open: (connection) => openByFirstFrame(connection, { service, live, languages, limits }),
        }),
      {
        signedIn: true,
        query: t.Object({
          ...identity,
        }),
        response: { 101: t.Void({ description: "the socket is open" }), 426: problemSchema },
        detail: socketDetail({
          summary: "Transcription, in two dialects",
          tags: ["transcription"],
          frames: transcriptionFrames,
          clientFrames: [...streamingClientFrames, OneFrame],
        }),
      },
    );
}
