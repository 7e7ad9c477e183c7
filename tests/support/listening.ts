import type { Environment } from "../../src/environment.ts";
import type { TestApp } from "./app.ts";
import { startHearingApp } from "./speaker.ts";

const BYTES_PER_MS = 32;

/** How a speech service is: it answers, never answers, is broken, knows nobody, or answers with something else. */
export type Mood = "well" | "silent" | "down" | "locked" | "garbled";

/** A speech service that says how much sound it got, as quickly as sound can be counted. */
export interface ListeningService {
  /** What `OPENAI_BASE_URL` is to be. */
  url: string;
  be(mood: Mood): void;
  stop(): Promise<void>;
}

function startListeningService(): ListeningService {
  let mood: Mood = "well";
  const server = Bun.serve({
    port: 0,
    fetch: async (request) => {
      const file = (await request.formData()).get("file");
      if (mood === "silent") return new Promise<Response>(() => {});
      if (mood === "down") return new Response("down", { status: 500 });
      if (mood === "locked") return new Response("who?", { status: 401 });
      if (mood === "garbled") return new Response("<html>");
      const ms = file instanceof Blob ? Math.round(file.size / BYTES_PER_MS) : 0;
      return Response.json({ text: `heard ${ms} ms`, language: "english", duration: ms / 1000 });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/v1`,
    be: (next) => {
      mood = next;
    },
    stop: () => server.stop(true),
  };
}

/** What a server is started with that hears through a service. */
export function heardBy({ url }: ListeningService): Environment {
  return { SPEECH_ENGINE: "openai", OPENAI_BASE_URL: url, SPEECH_WORKERS: "1" };
}

/**
 * Starts the app with that service. For what holds whichever recogniser there is: without a model to
 * load and to search it hears in a hundredth of the time.
 */
export async function startListeningApp(
  settings: Environment = {},
): Promise<{ app: TestApp; service: ListeningService }> {
  const service = startListeningService();
  const app = await startHearingApp({ ...heardBy(service), ...settings });
  const { stop } = app;
  return {
    service,
    app: {
      ...app,
      stop: async () => {
        await stop();
        await service.stop();
      },
    },
  };
}
