import type { Sender, Sending } from "./sending.ts";
import { counted } from "../parts/numbers.ts";

/** How far a file is, and what became of its posts. */
export function SendingPart({ sender, onClear }: { sender: Sender; onClear(): void }) {
  const sending = sender.sending.value;
  if (sending === null) return null;
  const { name, state, bytes, bytesRead, reason, refused, refusals } = sending;
  const isGoing = state === "going";
  return (
    <div class="card stack tight">
      <div class="row apart">
        <b dir="auto">{name}</b>
        <button type="button" class="button" onClick={isGoing ? sender.stop : onClear}>
          {isGoing ? "Stop sending" : "Clear"}
        </button>
      </div>
      {isGoing && <progress aria-label={`Sending ${name}`} max={bytes} value={bytesRead} />}
      <p class="number">
        {isGoing && `${percentOf(sending)} · `}
        {countsText(sending)}
      </p>
      <p role="status">{stateText(sending)}</p>
      {state === "failed" && (
        <p class="notice bad" role="alert">
          {reason}
        </p>
      )}
      {refused > 0 && (
        <details>
          <summary>Why {counted(refused, "line")} did not go</summary>
          <ul>
            {refusals.map(({ line, reason: why }) => (
              <li key={line}>
                Line {line}: {why}
              </li>
            ))}
          </ul>
          {refused > refusals.length && <p class="muted small">These are the first of them.</p>}
        </details>
      )}
      {state === "done" && (
        <p>
          <a href="/topics">See the publications</a>
        </p>
      )}
    </div>
  );
}

/** One line of it, for where something else is looked at meanwhile. */
export function SendingLine({ sender }: { sender: Sender }) {
  const sending = sender.sending.value;
  if (sending?.state !== "going") return null;
  return (
    <p class="small">
      <a href="/topics?view=posts">
        Sending <span dir="auto">{sending.name}</span>: {percentOf(sending)}
      </a>
    </p>
  );
}

function countsText({ accepted, known, refused }: Sending): string {
  return `${accepted.toLocaleString()} new · ${known.toLocaleString()} known before · ${refused.toLocaleString()} refused`;
}

function stateText(sending: Sending): string {
  if (sending.state === "going") return sending.reason ?? "Sending…";
  if (sending.state === "done") return "All of it is sent. It is counted as the queue empties.";
  if (sending.state === "stopped")
    return "Stopped. What was sent stays; the rest can be sent later.";
  return "";
}

function percentOf({ bytes, bytesRead }: Sending): string {
  return `${bytes === 0 ? 0 : Math.floor((100 * bytesRead) / bytes)} %`;
}
