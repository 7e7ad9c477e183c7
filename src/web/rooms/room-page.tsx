import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { useApp } from "../context.ts";
import { Icon } from "../parts/icon.tsx";
import { useTitle } from "../parts/title.ts";
import { CaptionSize } from "./caption-size.tsx";
import { Composer } from "./composer.tsx";
import type { SaidActions } from "./lines.tsx";
import { Faces, TypingLine } from "./members.tsx";
import {
  EditDialog,
  MembersDialog,
  MoreDialog,
  RemoveDialog,
  ShareDialog,
  SummaryDialog,
  type Tool,
} from "./room-dialogs.tsx";
import { type RoomState, enterRoom } from "./room-state.ts";
import type { Said } from "./said.ts";
import { Stream } from "./stream.tsx";
import { Wall } from "./wall.tsx";

type Open = "members" | "share" | "summary" | "more" | null;

/** One room: what is said in it, who is in it, and where one says something. */
export function RoomPage({ name }: { name: string }) {
  const app = useApp();
  const { router, session, speaking } = app;
  const client = app.chat();
  const room = useMemo(() => enterRoom(client, name, () => meOf(app)), [client, name]);
  useTitle(name);
  useEffect(() => {
    return () => {
      // The microphone belongs to the room that is looked at.
      void speaking.stop();
      room.leave();
    };
  }, [room]);

  const open = useSignal<Open>(null);
  const editing = useSignal<Said | null>(null);
  const removing = useSignal<Said | null>(null);
  const actions = useMemo<SaidActions>(
    () => ({
      mayEdit: ({ user, kind }) => user.id === meOf(app).id && kind === "text",
      mayRemove: ({ user }) => user.id === meOf(app).id || session.person.value?.role === "admin",
      edit: (said) => {
        editing.value = said;
      },
      remove: (said) => {
        removing.value = said;
      },
    }),
    [room],
  );

  const tools: readonly Tool[] = [
    { icon: "wall", label: "Large captions", onClick: () => router.go("?view=wall") },
    { icon: "summary", label: "Sum up", onClick: () => (open.value = "summary") },
    { icon: "share", label: "Share", onClick: () => (open.value = "share") },
  ];

  if (router.place.value.query.get("view") === "wall") return <Wall name={name} room={room} />;
  if (room.outside.value !== null) {
    return (
      <div class="empty">
        <Icon name="lock" />
        <h1 dir="auto">{name}</h1>
        <p>{room.outside.value}</p>
        <a class="button" href="/">
          All rooms
        </a>
      </div>
    );
  }
  return (
    <div class="room">
      <header class="room-head">
        <h1 dir="auto">{name}</h1>
        <Faces
          room={room}
          onOpen={() => {
            open.value = "members";
          }}
        />
        <div class="room-tools">
          <CaptionSize />
          {tools.map((tool) => (
            <IconTool key={tool.label} {...tool} />
          ))}
          <IconTool icon="more" label="More" onClick={() => (open.value = "more")} />
        </div>
      </header>
      <Stream room={room} actions={actions} />
      <TypingLine room={room} />
      <Composer name={name} room={room} />
      <Dialogs name={name} room={room} open={open.value} onClose={() => (open.value = null)} />
      {open.value === "more" && <MoreDialog tools={tools} onClose={() => (open.value = null)} />}
      {removing.value !== null && (
        <RemoveDialog room={room} said={removing.value} onClose={() => (removing.value = null)} />
      )}
      {editing.value !== null && (
        <EditDialog room={room} said={editing.value} onClose={() => (editing.value = null)} />
      )}
    </div>
  );
}

function meOf({ session, chat }: Pick<ReturnType<typeof useApp>, "session" | "chat">) {
  const person = session.person.value;
  return chat().user() ?? { id: person?.id ?? 0, name: person?.name ?? "" };
}

function IconTool({ icon, label, onClick }: Tool) {
  return (
    <button
      type="button"
      class={`button plain icon ${icon === "more" ? "more" : ""}`}
      aria-label={label}
      title={label}
      onClick={() => void onClick()}
    >
      <Icon name={icon} />
    </button>
  );
}

interface DialogsProps {
  name: string;
  room: RoomState;
  open: Open;
  onClose(): void;
}

function Dialogs({ name, room, open, onClose }: DialogsProps) {
  const app = useApp();
  const me = useComputed(() => meOf(app).id);
  if (open === "members") {
    return <MembersDialog name={name} room={room} me={me.value} onClose={onClose} />;
  }
  if (open === "share") return <ShareDialog name={name} onClose={onClose} />;
  if (open === "summary") return <SummaryDialog name={name} onClose={onClose} />;
  return null;
}
