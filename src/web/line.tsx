import type { ReadonlySignal } from "@preact/signals";
import type { ConnectionState } from "../client/connection.ts";

/** Says calmly that the line is down; it takes no place while it is not. */
export function LineNotice({ state }: { state: ReadonlySignal<ConnectionState> }) {
  return (
    <div class="line" role="status">
      {state.value === "waiting" && (
        <p class="notice">The line is down. Coming back; what you write is kept until then.</p>
      )}
      {state.value === "closed" && (
        <p class="notice bad">
          The server has ended the connection.
          <button type="button" class="button compact" onClick={() => location.reload()}>
            Connect again
          </button>
        </p>
      )}
    </div>
  );
}
