import { useSignal } from "@preact/signals";
import type { Static } from "elysia";
import { useEffect, useRef } from "preact/hooks";
import type { deadSchema } from "../../features/topics/model.ts";
import { reasonOf } from "../api.ts";
import { useLoaded } from "../parts/loaded.ts";
import { momentOf } from "../parts/times.ts";
import { type KeyedFetch, problemOf } from "./keyed.ts";
import { counted } from "./wishes.ts";

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
export function DeadPosts({ ask, dead }: { ask: KeyedFetch; dead: number }) {
  const page = useLoaded(
    () => (dead === 0 ? Promise.resolve({ dead: [], next: null }) : readPage(ask, 0)),
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
      await retry(ask, id);
      return "It is sent back to the queue.";
    });
  const retryAll = () =>
    attempt(async () => {
      let sent = 0;
      // By id, so that one which fails again is not met again.
      for (let after: number | null = 0; after !== null && !isGone.current;) {
        const { dead: some, next }: DeadPage = await readPage(ask, after);
        for (const { id } of some) {
          if (isGone.current) break;
          await retry(ask, id);
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
      {page.error.value !== null && (
        <p class="notice bad" role="alert">
          {page.error.value}
        </p>
      )}
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

async function readPage(ask: KeyedFetch, after: number): Promise<DeadPage> {
  const answer = await ask(`/v1/queue/dead?after=${after}&limit=${PAGE}`);
  if (!answer.ok) throw await problemOf(answer);
  return (await answer.json()) as DeadPage;
}

/** Sends a post back; one that somebody else has sent back is fine as well. */
async function retry(ask: KeyedFetch, id: number): Promise<void> {
  const answer = await ask(`/v1/queue/dead/${id}/retry`, { method: "POST" });
  if (!answer.ok && answer.status !== NOT_FOUND) throw await problemOf(answer);
}
