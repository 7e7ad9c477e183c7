import { useSignal } from "@preact/signals";
import type { Static } from "elysia";
import { useEffect, useRef } from "preact/hooks";
import type { deadSchema } from "../../features/topics/model.ts";
import { type Api, ApiError, reasonOf } from "../api.ts";
import { useApp } from "../context.ts";
import { useLoaded } from "../parts/loaded.ts";
import { momentOf } from "../parts/times.ts";
import { counted } from "../parts/numbers.ts";
import { Problem } from "../parts/problem.tsx";

type Dead = Static<typeof deadSchema>;
interface DeadPage {
  dead: Dead[];
  next: number | null;
}

const PAGE = 100;
/** Between two of many that are sent back, so that others come through. */
const PACE_MS = 100;
const NOT_FOUND = 404;

/** Posts that could not be read, why, and the way back for them; nothing when there are none. */
export function DeadPosts({ dead }: { dead: number }) {
  const { api } = useApp();
  const page = useLoaded(
    () => (dead === 0 ? Promise.resolve({ dead: [], next: null }) : readPage(api, 0)),
    [dead],
  );
  const told = useSignal("");
  const heading = useRef<HTMLHeadingElement>(null);
  const running = useSignal(false);
  const isGone = useRef(false);
  useEffect(() => () => void (isGone.current = true), []);
  const list = page.value.value?.dead ?? [];

  const attempt = async (act: () => Promise<string>): Promise<void> => {
    running.value = true;
    try {
      told.value = await act();
    } catch (error) {
      told.value = reasonOf(error);
    }
    running.value = false;
    page.reload();
    // The button that was pressed may be gone with its line.
    heading.current?.focus();
  };
  const retryOne = (id: number) =>
    attempt(async () => {
      await retry(api, id);
      return "It is sent back to the queue.";
    });
  const retryAll = () =>
    attempt(async () => {
      let sent = 0;
      // By id, so that one which fails again is not met again.
      for (let after: number | null = 0; after !== null && !isGone.current;) {
        const { dead: some, next }: DeadPage = await readPage(api, after);
        for (const { id } of some) {
          if (isGone.current) break;
          await retry(api, id);
          sent++;
          told.value = `${counted(sent, "post")} sent back…`;
          await new Promise((resolve) => setTimeout(resolve, PACE_MS));
        }
        after = next;
      }
      return `${counted(sent, "post")} sent back to the queue.`;
    });

  if (dead === 0 && list.length === 0 && told.value === "") return null;
  return (
    <section class="stack tight" aria-labelledby="dead-heading">
      <div class="row apart">
        <h2 id="dead-heading" ref={heading} tabIndex={-1}>
          Posts that could not be read
        </h2>
        {list.length > 1 && (
          <button
            type="button"
            class="button"
            disabled={running.value}
            onClick={() => void retryAll()}
          >
            Try all again
          </button>
        )}
      </div>
      <p role="status">{told.value}</p>
      <Problem text={page.error.value} />
      <ul class="dead">
        {list.map((each) => (
          <li key={each.id} class="card">
            <div>
              <b dir="auto">{each.publication}</b>{" "}
              <span class="muted small">
                {each.external_id ?? `post ${each.id}`} · {momentOf(each.died_at)}
              </span>
              <p dir="auto">{each.reason}</p>
            </div>
            <button
              type="button"
              class="button"
              disabled={running.value}
              onClick={() => void retryOne(each.id)}
            >
              Try again<span class="spoken"> post {each.external_id ?? each.id}</span>
            </button>
          </li>
        ))}
      </ul>
      {dead > list.length && list.length > 0 && (
        <p class="muted small">The first {list.length.toLocaleString()} of them are listed.</p>
      )}
    </section>
  );
}

function readPage(api: Api, after: number): Promise<DeadPage> {
  return api.get<DeadPage>("/v1/queue/dead", { after, limit: PAGE });
}

/** Sends a post back; one that somebody else has sent back is fine as well. */
async function retry(api: Api, id: number): Promise<void> {
  try {
    await api.send("POST", `/v1/queue/dead/${id}/retry`);
  } catch (error) {
    if (!(error instanceof ApiError && error.status === NOT_FOUND)) throw error;
  }
}
