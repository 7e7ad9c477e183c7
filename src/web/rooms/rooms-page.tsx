import type { Static } from "@sinclair/typebox";
import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { roomSchema } from "../../features/chat/model.ts";
import { reasonOf } from "../api.ts";
import { useApp } from "../context.ts";
import { Icon } from "../parts/icon.tsx";
import { useLoaded } from "../parts/loaded.ts";
import { momentOf } from "../parts/times.ts";
import { roomAddress } from "../router.ts";
import { loadLastRooms } from "./last-rooms.ts";
import { Problem } from "../parts/problem.tsx";

type Room = Static<typeof roomSchema>;

/** More rooms than these can be searched. */
const ROOMS_SEEN_AT_ONCE = 10;

/** Where one comes in: the rooms that are there, and the way into a new one. */
export function RoomsPage() {
  const { api } = useApp();
  const rooms = useLoaded((signal) => api.get<Room[]>("/v1/rooms", {}, signal), []);
  return (
    <div class="page stack">
      <div class="welcome">
        <h1>Read a room you cannot hear</h1>
        <p class="muted">
          Everything said in a room — spoken, typed or published — reaches everyone in it at once,
          and is kept.
        </p>
      </div>
      <EnterForm />
      <Problem text={rooms.error.value} />
      {rooms.value.value === null && rooms.error.value === null && (
        <p class="muted" role="status">
          Looking for rooms…
        </p>
      )}
      {rooms.value.value !== null && <RoomList rooms={rooms.value.value} />}
    </div>
  );
}

function EnterForm() {
  const { api, router } = useApp();
  const name = useSignal("");
  const isPrivate = useSignal(false);
  const problem = useSignal<string | null>(null);
  const enter = async (): Promise<void> => {
    const room = name.value.trim();
    if (room === "") return;
    try {
      if (isPrivate.value) await api.send("POST", "/v1/rooms", { room, private: true });
      router.go(roomAddress(room));
    } catch (error) {
      problem.value = reasonOf(error);
    }
  };
  return (
    <form
      class="card stack"
      onSubmit={(event) => {
        event.preventDefault();
        void enter();
      }}
    >
      <label class="field">
        <span>Name of a room, old or new</span>
        <span class="enter">
          <input
            class="input"
            value={name.value}
            maxLength={100}
            placeholder="lobby"
            autocomplete="off"
            dir="auto"
            onInput={({ currentTarget }) => {
              name.value = currentTarget.value;
            }}
          />
          <button type="submit" class="button main" disabled={name.value.trim() === ""}>
            Enter
          </button>
        </span>
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={isPrivate.value}
          onChange={({ currentTarget }) => {
            isPrivate.value = currentTarget.checked;
          }}
        />
        Make it a new private room, for those whom I let in
      </label>
      <Problem text={problem.value} />
    </form>
  );
}

function RoomList({ rooms }: { rooms: readonly Room[] }) {
  const { storage } = useApp();
  const last = useMemo(() => loadLastRooms(storage), []);
  const sought = useSignal("");
  if (rooms.length === 0) {
    return (
      <div class="empty">
        <p>Nobody has said anything yet.</p>
        <a class="button main" href={roomAddress("lobby")}>
          Open the lobby
        </a>
      </div>
    );
  }
  const shown = sorted(rooms, last).filter(({ room }) =>
    folded(room).includes(folded(sought.value)),
  );
  return (
    <section class="stack tight" aria-labelledby="rooms-heading">
      <div class="row apart">
        <h2 id="rooms-heading">Rooms</h2>
        {rooms.length > ROOMS_SEEN_AT_ONCE && (
          <input
            type="search"
            class="input filter"
            aria-label="Find a room"
            placeholder="Find a room"
            value={sought.value}
            dir="auto"
            onInput={({ currentTarget }) => {
              sought.value = currentTarget.value;
            }}
          />
        )}
      </div>
      <p class={shown.length === 0 ? "muted" : "spoken"} role="status">
        {sought.value.trim() !== "" &&
          (shown.length === 0 ? "No room is called so." : `${shown.length} found`)}
      </p>
      <ul class="cards">
        {shown.map(({ room, head, private: isPrivate, created_at: createdAt }) => (
          <li key={room}>
            <a class="card room-card" href={roomAddress(room)}>
              <b dir="auto" class="clamped" title={room}>
                {room}
              </b>
              {isPrivate && <Icon name="lock" />}
              <span class="muted small">
                {head === 1 ? "1 message" : `${head} messages`} ·{" "}
                {last.includes(room) ? "you were here" : `since ${momentOf(createdAt)}`}
              </span>
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Where one was last comes first; the others stay as they are. */
function sorted(rooms: readonly Room[], last: readonly string[]): Room[] {
  const place = ({ room }: Room): number =>
    last.includes(room) ? last.indexOf(room) : last.length;
  return [...rooms].sort((one, other) => place(one) - place(other));
}

function folded(text: string): string {
  return text.trim().normalize("NFKC").toLowerCase();
}
