import type { Bus } from "../../platform/bus.ts";
import type { Database } from "../../platform/database.ts";
import type { Kept } from "../../platform/kept.ts";
import { type Log, errorFields } from "../../platform/log.ts";
import type { Measure } from "../../platform/metrics.ts";
import { endsWithin } from "../../platform/stops.ts";
import type { Traces } from "../../platform/traces.ts";
import type { Caller } from "../../http/caller.ts";
import { suggestFor } from "../../speech/models/catalogue.ts";
import type { Recognition } from "../../speech/recognition.ts";
import type { TextJob, TextResult } from "../../text/pipeline.ts";
import { type TranscriptionBelongings, createTranscriptionBelongings } from "./belongings.ts";
import { createCaptionStore } from "./caption.store.ts";
import { createEditStore } from "./edit.store.ts";
import { createTranscriptionEdits } from "./edits.ts";
import { createFileModels } from "./file-models.ts";
import type { FileRoutesDependencies } from "./file-routes.ts";
import { createFileTranscriber } from "./file-transcriber.ts";
import type { FoundPage } from "./kept-model.ts";
import { createKeptMessages } from "./kept-messages.ts";
import { createLanguages } from "./languages.ts";
import { createLiveTranscriptions } from "./live.ts";
import { createSessionOpener } from "./opening.ts";
import { createRevisionStore } from "./revision.store.ts";
import { type Captions, type RoleOf, createCaptionPost } from "./room-captions.ts";
import type { TranscriptionRoutesDependencies } from "./routes.ts";
import { type SearchRequest, createSearchIndex } from "./search.store.ts";
import { createTranscriptionSearch } from "./search.ts";
import { createTranscriptionService } from "./service.ts";
import { createSegmentStore } from "./segment.store.ts";
import { createSessionStore } from "./session.store.ts";
import { createSpeechCounts, speechFamilies } from "./speech-counts.ts";
import { createSpools } from "./spool.ts";
import { type TranscriptionStore, createTranscriptionStore } from "./store.ts";
import { createUploads } from "./uploads.ts";
import { startUpkeep } from "./upkeep.ts";

/** Everything of transcriptions, joined. */
export interface TranscriptionFeature {
  routes: Omit<TranscriptionRoutesDependencies, "guard" | "gateway">;
  files: Omit<FileRoutesDependencies, "guard" | "log">;
  /** What was said or saved, by its rows. */
  saidAfter: TranscriptionStore["saidAfter"];
  /** What one user has saved or spoken, to take along or to erase. */
  belongings: TranscriptionBelongings;
  measure: Measure;
  /** Ends the sessions that have no socket; those of sockets are ended by their gateway before. */
  close(withinMs: number): Promise<void>;
}

export interface TranscriptionFeatureDependencies {
  database: Database;
  databasePath: string;
  bus: Bus;
  kept: Kept;
  recognition: Recognition | null;
  processText(job: TextJob): Promise<TextResult>;
  /** For what somebody wrote by hand, where nothing is to be put right. */
  processEdit(job: TextJob): Promise<TextResult>;
  captions: Captions;
  roleOf: RoleOf;
  /** Throws when the caller may not enter the room. */
  checkRoom(caller: Caller, room: string): Promise<void>;
  /** Runs `searchPage` where it disturbs nobody. */
  search(request: SearchRequest): Promise<FoundPage>;
  /** How long a session whose socket broke waits for its client. */
  parkedMs: number;
  /** Files that are recognised at once. */
  filesAtOnce: number;
  processId: string;
  newId(): string;
  now(): number;
  log: Log;
  traces: Traces;
}

/** Sessions whose client is away get so long to be recognised at the end. */
const PARKED_END_MS = 1_000;
/**
 * Of a stop's time: a round of the upkeep may hang behind another process's lock, and a recogniser that
 * is told to hurry may take as long again.
 */
const CLOSE_SHARE = 1 / 3;

export function createTranscriptionFeature(
  dependencies: TranscriptionFeatureDependencies,
): TranscriptionFeature {
  const { database, databasePath, bus, kept, recognition, processText, checkRoom } = dependencies;
  const { roleOf, search, parkedMs, filesAtOnce, processId, newId, now, log, traces } =
    dependencies;

  const index = createSearchIndex(database);
  index.catchUp().catch((error: unknown) => {
    log.warn(errorFields(error), "the search index is not whole; the next start goes on with it");
  });
  const store = createTranscriptionStore({ database, index, now });
  const sessionStore = createSessionStore({ database, processId, now });
  const segmentStore = createSegmentStore({ database, index, now });
  const captionStore = createCaptionStore(database);
  const captions = createCaptionPost({
    captions: dependencies.captions,
    roleOf,
    store: captionStore,
    log,
  });
  const languages = createLanguages(recognition, (language) =>
    suggestFor(language).map(({ name }) => name),
  );
  const counts = createSpeechCounts();
  const opener = createSessionOpener({
    store: sessionStore,
    segmentStore,
    spools: createSpools(databasePath, log),
    captions,
    processText: async (job) => {
      const result = await processText(job);
      counts.words += result.wordCount;
      return result;
    },
    parkedMs,
    roleOf,
    newId,
    now,
    counts,
    log,
    traces,
  });
  const live = createLiveTranscriptions({
    recognition,
    store: sessionStore,
    opener,
    languages,
    checkRoom,
    bus,
    processId,
    parkedMs,
    now,
    counts,
    log,
  });
  const endUpkeep = startUpkeep({ live, store: sessionStore, captions, parkedMs, now, log });
  const uploads = createUploads(databasePath, newId);
  const models = createFileModels(recognition, languages);
  const editStore = createEditStore({ database, index, now });
  const keptMessages = createKeptMessages(kept, () => performance.timeOrigin + performance.now());

  return {
    routes: {
      service: createTranscriptionService({
        store,
        keptMessages,
        recognition,
        processText,
        newId,
        now,
        log,
      }),
      edits: createTranscriptionEdits({
        store,
        editStore,
        processText: dependencies.processEdit,
      }),
      search: createTranscriptionSearch({ find: search }),
      live,
      parkedMs,
      languages,
    },
    files: {
      files: createFileTranscriber({ recognition, models, uploads, parallel: filesAtOnce }),
      models,
      startedAt: now(),
    },
    saidAfter: store.saidAfter,
    measure: () => speechFamilies(counts, live.now()),
    belongings: createTranscriptionBelongings({
      store,
      editStore,
      revisionStore: createRevisionStore(database.db, now),
      captionStore,
      keptMessages,
    }),
    close: async (withinMs) => {
      const shareMs = CLOSE_SHARE * withinMs;
      await endsWithin(endUpkeep(), shareMs);
      uploads.close();
      await live.close(Math.min(PARKED_END_MS, shareMs));
    },
  };
}
