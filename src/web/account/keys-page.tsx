import type { Static } from "@sinclair/typebox";
import { useSignal } from "@preact/signals";
import type { keySchema, newKeySchema } from "../../features/accounts/model.ts";
import { useApp } from "../context.ts";
import { ConfirmDialog } from "../parts/confirm-dialog.tsx";
import { Icon } from "../parts/icon.tsx";
import { useLoaded } from "../parts/loaded.ts";
import { momentOf } from "../parts/times.ts";
import { NewKey } from "./new-key.tsx";
import { useTitle } from "../parts/title.ts";
import { Problem } from "../parts/problem.tsx";

export type Key = Static<typeof keySchema>;
export type MadeKey = Static<typeof newKeySchema>;

/** Keys that programs send instead of signing in; for admins. */
export function KeysPage() {
  const { api, session } = useApp();
  useTitle("Keys");
  const isAdmin = session.person.value?.role === "admin";
  const keys = useLoaded(
    async (signal) => (isAdmin ? api.get<Key[]>("/v1/keys", {}, signal) : []),
    [isAdmin],
  );
  const revoking = useSignal<Key | null>(null);
  const revoked = useSignal("");

  const revoke = async (key: Key | null): Promise<void> => {
    if (key === null) return;
    await api.send("DELETE", `/v1/keys/${key.id}`);
    keys.reload();
    revoked.value = `${key.name} opens nothing any more.`;
  };

  if (!isAdmin) {
    return (
      <div class="empty">
        <Icon name="lock" />
        <h1>Keys for programs</h1>
        <p>Only admins make and see them.</p>
        <a class="button" href="/account">
          Your account
        </a>
      </div>
    );
  }
  return (
    <div class="page account stack">
      <div class="stack tight">
        <a class="back" href="/account">
          Your account
        </a>
        <h1>Keys for programs</h1>
        <p class="muted">
          A program sends its key instead of signing in: as <code>X-API-Key</code> with posts, as a
          Bearer token with sound.
        </p>
      </div>
      <NewKey onMade={keys.reload} />
      <section class="card stack" aria-labelledby="keys-heading">
        <h2 id="keys-heading">Keys</h2>
        <Problem text={keys.error.value} />
        <KeyList keys={keys.value.value} onRevoke={(key) => (revoking.value = key)} />
        <p class={revoked.value === "" ? "spoken" : "notice good"} role="status">
          {revoked.value}
        </p>
      </section>
      {revoking.value !== null && (
        <ConfirmDialog
          title="Revoke the key"
          action="Revoke it for good"
          keep="Keep it"
          onConfirm={() => revoke(revoking.value)}
          onClose={() => {
            revoking.value = null;
          }}
        >
          Programs that use <b dir="auto">{revoking.value.name}</b> are refused from the next
          request on. It cannot be made valid again.
        </ConfirmDialog>
      )}
    </div>
  );
}

function KeyList({ keys, onRevoke }: { keys: readonly Key[] | null; onRevoke(key: Key): void }) {
  if (keys === null) return <p class="muted">Looking…</p>;
  if (keys.length === 0) return <p class="muted">There is none yet.</p>;
  // Those that open something come first.
  const valid = keys.filter((key) => key.revoked_at === null).reverse();
  const revoked = keys.filter((key) => key.revoked_at !== null).reverse();
  return (
    <ul class="things">
      {[...valid, ...revoked].map((key) => (
        <li key={key.id} data-over={key.revoked_at !== null}>
          <div>
            <b dir="auto">{key.name}</b> <code>{key.hint}…</code>
            <p class="muted small">
              {key.scopes.map(scopeWords).join(" and ")} · {usageOf(key)}
            </p>
          </div>
          {key.revoked_at === null ? (
            <button type="button" class="button" onClick={() => onRevoke(key)}>
              Revoke<span class="spoken"> {key.name}</span>
            </button>
          ) : (
            <span class="badge">revoked</span>
          )}
        </li>
      ))}
    </ul>
  );
}

function scopeWords(scope: string): string {
  return scope === "posts" ? "Posts" : "Sound";
}

function usageOf({ used_at: usedAt, revoked_at: revokedAt, created_at: createdAt }: Key): string {
  if (revokedAt !== null) return `revoked: ${momentOf(revokedAt)}`;
  if (usedAt !== null) return `last used: ${momentOf(usedAt)}`;
  return `never used · made: ${momentOf(createdAt)}`;
}
