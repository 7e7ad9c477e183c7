import type { Static } from "@sinclair/typebox";
import { useSignal } from "@preact/signals";
import type { roomSchema } from "../../features/chat/model.ts";
import { Outcome, useDoing } from "../parts/doing.tsx";
import type { Api } from "../api.ts";
import { useApp } from "../context.ts";
import { useLoaded } from "../parts/loaded.ts";
import { shownName } from "../parts/person.tsx";
import { MemberList } from "./members.tsx";
import type { RoomState } from "./room-state.ts";
import type { User } from "./said.ts";

type Room = Static<typeof roomSchema>;

const PAGE_ROOMS = 100;

interface RoomAccessProps {
  name: string;
  room: RoomState;
  me: number;
}

/** Who is here; in a private room its owner, and admins, let others in and send them out. */
export function RoomAccess({ name, room, me }: RoomAccessProps) {
  const { api, session } = useApp();
  const { value: found } = useLoaded((signal) => findRoom(api, name, signal), [name]);
  const doing = useDoing();
  const kept = found.value;
  const isAdmin = session.person.value?.role === "admin";
  if (kept === null || !kept.private || !(isAdmin || kept.owner_id === me)) {
    return <MemberList room={room} me={me} />;
  }

  const memberPath = (id: number): string => `/v1/rooms/${encodeURIComponent(name)}/members/${id}`;
  const sendOut = async (id: number, who: string): Promise<string> => {
    await api.send("DELETE", memberPath(id));
    return `${who} cannot come in any more.`;
  };
  const letIn = async (id: number, who: string): Promise<string> => {
    await api.send("POST", memberPath(id));
    return `${who} may come in now.`;
  };
  return (
    <>
      <MemberList
        room={room}
        me={me}
        actionOf={(user) =>
          user.id !== me &&
          user.id !== kept.owner_id && (
            <button
              type="button"
              class="button send-out"
              onClick={() => doing.run(() => sendOut(user.id, shownName(user)))}
            >
              Send out<span class="spoken"> {shownName(user)}</span>
            </button>
          )
        }
      />
      <NumberForm
        isBusy={doing.isBusy.value}
        onLetIn={(id) => doing.run(() => letIn(id, whoIs(room, id)))}
        onSendOut={(id) => doing.run(() => sendOut(id, whoIs(room, id)))}
      />
      <Outcome of={doing} />
    </>
  );
}

interface NumberFormProps {
  isBusy: boolean;
  onLetIn(id: number): void;
  onSendOut(id: number): void;
}

function NumberForm({ isBusy, onLetIn, onSendOut }: NumberFormProps) {
  const number = useSignal("");
  const id = /^\d{1,15}$/.test(number.value.trim()) ? Number(number.value) : null;
  return (
    <form
      class="stack tight let-in"
      onSubmit={(event) => {
        event.preventDefault();
        if (id !== null) onLetIn(id);
      }}
    >
      <h3>A private room</h3>
      <p class="muted small" id="number-hint">
        Only those whom you let in can come. People find their number on their account page.
      </p>
      <label class="field">
        <span>Somebody’s number</span>
        <input
          class="input"
          inputMode="numeric"
          autocomplete="off"
          value={number.value}
          aria-describedby="number-hint"
          onInput={({ currentTarget }) => {
            number.value = currentTarget.value;
          }}
        />
      </label>
      <div class="row">
        <button type="submit" class="button main" disabled={id === null || isBusy}>
          Let in
        </button>
        <button
          type="button"
          class="button"
          disabled={id === null || isBusy}
          onClick={() => id !== null && onSendOut(id)}
        >
          Send out
        </button>
      </div>
    </form>
  );
}

function whoIs(room: RoomState, id: number): string {
  const user = room.members.value.find((one: User) => one.id === id);
  return user === undefined ? `Number ${id}` : shownName(user);
}

/** Rooms come by name, so the search begins shortly before the one that is looked for. */
async function findRoom(api: Api, name: string, signal: AbortSignal): Promise<Room | null> {
  let after = [...name].slice(0, -1).join("");
  for (;;) {
    const page = await api.get<Room[]>("/v1/rooms", { after, limit: PAGE_ROOMS }, signal);
    const found = page.find(({ room }) => room === name);
    const last = page.at(-1);
    if (found !== undefined) return found;
    if (last === undefined || page.length < PAGE_ROOMS) return null;
    after = last.room;
  }
}
