import { useSignal } from "@preact/signals";
import { below } from "../base.ts";
import { reasonOf } from "../api.ts";
import { ConfirmDialog } from "../parts/confirm-dialog.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { Icon, type IconName } from "../parts/icon.tsx";
import { CaptionSize } from "./caption-size.tsx";
import { startOf } from "./said.ts";
import { Summary } from "../parts/summary.tsx";
import { roomAddress } from "../router.ts";
import { RoomAccess } from "./room-access.tsx";
import type { RoomState } from "./room-state.ts";
import type { Said } from "./said.ts";
import { Problem } from "../parts/problem.tsx";

interface RoomDialogProps {
  name: string;
  onClose(): void;
}

export function MembersDialog(props: RoomDialogProps & { room: RoomState; me: number }) {
  const { name, room, me, onClose } = props;
  return (
    <Dialog title={`${room.members.value.length} here`} onClose={onClose}>
      <RoomAccess name={name} room={room} me={me} />
    </Dialog>
  );
}

export function ShareDialog({ name, onClose }: RoomDialogProps) {
  const isCopied = useSignal(false);
  const address = new URL(below(roomAddress(name)), location.origin).href;
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(address);
    isCopied.value = true;
  };
  return (
    <Dialog title="Share this room" onClose={onClose}>
      <label class="field">
        <span>Whoever has this link can come in, if they may</span>
        <input
          class="input"
          readOnly
          value={address}
          onFocus={({ currentTarget }) => currentTarget.select()}
        />
      </label>
      <div class="row">
        {/* Browsers lend the clipboard to pages from https or this machine only. */}
        {"clipboard" in navigator && (
          <button type="button" class="button main" onClick={() => void copy()}>
            {isCopied.value ? "Copied" : "Copy the link"}
          </button>
        )}
        {"share" in navigator && (
          <button
            type="button"
            class="button"
            onClick={() => void navigator.share({ url: address }).catch(() => undefined)}
          >
            Send it to somebody
          </button>
        )}
      </div>
    </Dialog>
  );
}

export function SummaryDialog({ name, onClose }: RoomDialogProps) {
  return (
    <Dialog title="In short" onClose={onClose}>
      <Summary of={`/v1/rooms/${encodeURIComponent(name)}/summary`} />
    </Dialog>
  );
}

/** Something that can be done in a room. */
export interface Tool {
  icon: IconName;
  label: string;
  onClick(): unknown;
}

/** On a phone, where there is no place for the tools: the same ones, with their names. */
export function MoreDialog({ tools, onClose }: { tools: readonly Tool[]; onClose(): void }) {
  return (
    <Dialog title="This room" onClose={onClose}>
      <div class="row apart">
        Size of the words
        <CaptionSize />
      </div>
      <div class="stack tight">
        {tools.map(({ icon, label, onClick }) => (
          <button
            key={label}
            type="button"
            class="button wide"
            onClick={() => {
              onClose();
              onClick();
            }}
          >
            <Icon name={icon} />
            {label}
          </button>
        ))}
      </div>
    </Dialog>
  );
}

export function RemoveDialog({ room, said: { id, text }, onClose }: EditDialogProps) {
  return (
    <ConfirmDialog
      title="Remove this message?"
      action="Remove it"
      keep="Keep it"
      onConfirm={async () => {
        if (id !== null) await room.remove(id);
      }}
      onClose={onClose}
    >
      Nobody can read <q dir="auto">{startOf(text)}</q> any more, and nothing brings it back.
    </ConfirmDialog>
  );
}

interface EditDialogProps {
  room: RoomState;
  said: Said;
  onClose(): void;
}

export function EditDialog({ room, said, onClose }: EditDialogProps) {
  const text = useSignal(said.text);
  const problem = useSignal<string | null>(null);
  const { id } = said;
  const save = async (): Promise<void> => {
    if (id === null) return;
    try {
      await room.edit(id, text.value.trim());
      onClose();
    } catch (error) {
      problem.value = reasonOf(error);
    }
  };
  return (
    <Dialog title="Edit the message" onClose={onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <label class="field">
          <span>Message</span>
          <textarea
            class="input"
            rows={4}
            dir="auto"
            value={text.value}
            onInput={({ currentTarget }) => {
              text.value = currentTarget.value;
            }}
          />
        </label>
        <Problem text={problem.value} />
        <button type="submit" class="button main" disabled={text.value.trim() === ""}>
          Save
        </button>
      </form>
    </Dialog>
  );
}
