import type { Static } from "@sinclair/typebox";
import type { sessionSchema } from "../../features/accounts/model.ts";
import { useApp } from "../context.ts";
import { useLoaded } from "../parts/loaded.ts";
import { momentOf } from "../parts/times.ts";
import { deviceOf } from "./device.ts";
import { Outcome, useDoing } from "../parts/doing.tsx";
import { Problem } from "../parts/problem.tsx";

type AuthSession = Static<typeof sessionSchema>;

/** Where the account is signed in, and the way to end it there. */
export function SessionsSection() {
  const { api, session } = useApp();
  const { value, error, reload } = useLoaded(
    (signal) => api.get<AuthSession[]>("/v1/auth/sessions", {}, signal),
    [],
  );
  const doing = useDoing();
  const others = value.value?.filter(({ current }) => !current).length ?? 0;

  const end = async ({ id, user_agent: userAgent }: AuthSession): Promise<string> => {
    await api.send("DELETE", `/v1/auth/sessions/${id}`);
    reload();
    return `${deviceOf(userAgent)} is signed out.`;
  };
  const endAll = async (): Promise<null> => {
    await api.send("DELETE", "/v1/auth/sessions");
    await session.signOut();
    return null;
  };

  return (
    <section class="card stack" aria-labelledby="sessions-heading">
      <h2 id="sessions-heading">Where you are signed in</h2>
      <Problem text={error.value} />
      <ul class="things" aria-busy={value.value === null}>
        {value.value === null && error.value === null && <li class="muted">Looking…</li>}
        {value.value?.map((one) => (
          <li key={one.id}>
            <div>
              <b>{deviceOf(one.user_agent)}</b>
              <p class="muted small">
                {one.current ? "This browser" : `Last used: ${momentOf(one.used_at)}`} · Signed in:{" "}
                {momentOf(one.created_at)}
              </p>
            </div>
            {one.current ? (
              <span class="badge">here</span>
            ) : (
              <button type="button" class="button" onClick={() => doing.run(() => end(one))}>
                Sign out<span class="spoken"> {deviceOf(one.user_agent)}</span>
              </button>
            )}
          </li>
        ))}
      </ul>
      <Outcome of={doing} />
      {others > 0 && (
        <div class="row">
          <button type="button" class="button" onClick={() => doing.run(endAll)}>
            Sign out everywhere, here too
          </button>
        </div>
      )}
    </section>
  );
}
