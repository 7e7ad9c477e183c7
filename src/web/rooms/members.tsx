import { useComputed } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Avatar, Name } from "../parts/person.tsx";
import type { RoomState } from "./room-state.ts";
import type { User } from "./said.ts";

/** Faces of who is here; more are counted. */
const FACES_MAX = 4;

/** Who is here, in short: a button that opens the whole list. */
export function Faces({ room, onOpen }: { room: RoomState; onOpen(): void }) {
  const members = room.members.value;
  return (
    <button type="button" class="button plain faces" onClick={onOpen}>
      <span class="row-of-faces">
        {members.slice(0, FACES_MAX).map((user) => (
          <Avatar key={user.id} user={user} />
        ))}
      </span>
      <span>{members.length} here</span>
    </button>
  );
}

interface MemberListProps {
  room: RoomState;
  me: number;
  /** What may be done about somebody. */
  actionOf?(user: User): ComponentChildren;
}

/** Who is here, who speaks and who types. */
export function MemberList({ room, me, actionOf }: MemberListProps) {
  const speaking = useComputed(() => new Set(room.interim.value.map(({ user }) => user.id)));
  const typing = useComputed(() => new Set(room.typing.value.map(({ id }) => id)));
  const members = [...room.members.value].sort((a, b) => a.name.localeCompare(b.name));
  return (
    <ul class="members">
      {members.map((user) => (
        <li key={user.id}>
          <Avatar user={user} />
          <Name user={user} />
          {user.id === me && <span class="muted small">you</span>}
          {speaking.value.has(user.id) && <span class="badge live">speaking</span>}
          {typing.value.has(user.id) && <span class="badge">typing</span>}
          {actionOf?.(user)}
        </li>
      ))}
    </ul>
  );
}

/** One line that always has its place: who types now. */
export function TypingLine({ room }: { room: RoomState }) {
  return (
    <p class="typing small muted" aria-hidden="true">
      {typingWords(room.typing.value)}
    </p>
  );
}

function typingWords(users: readonly User[]): string {
  const [first, second] = users;
  if (first === undefined) return "";
  if (second === undefined) return `${first.name} is typing…`;
  if (users.length === 2) return `${first.name} and ${second.name} are typing…`;
  return `${users.length} people are typing…`;
}
