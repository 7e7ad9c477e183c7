import { type ChatRoom, connectChat } from "../../src/client/chat.ts";
import type { MessageFrame } from "../../src/features/chat/model.ts";
import { type Member, type ServerFrame, createMember, withoutText } from "./model-member.ts";
import { createRandom } from "./random.ts";

// Members over real sockets: one that speaks the protocol itself, one with the typed client.

/** Whoever looks after one connection of a member. */
interface LinkWatch {
  /** Is shown each frame before the member is. */
  frame?(frame: ServerFrame): void;
  /** It is over, by whoever's wish; the code of the close, 1006 when there was none. */
  closed(code: number): void;
}

const CUT = 1006;

/** Connects a member once, to the server at `url`; it enters its room from where it was. */
export function linkMember(member: Member, url: string, watch: LinkWatch): { cut(): void } {
  const socket = new WebSocket(`${url}/v1/ws/chat?user_id=${member.id}&name=raw${member.id}`);
  let isOver = false;
  const over = (code: number): void => {
    if (isOver) return;
    isOver = true;
    socket.terminate();
    member.broken();
    watch.closed(code);
  };
  const cut = (): void => over(CUT);
  socket.addEventListener("open", () => {
    if (isOver) return;
    member.connected({
      cut,
      send: (frame) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(frame)),
    });
    member.join(false);
  });
  socket.addEventListener("message", ({ data }) => {
    if (isOver) return;
    const frame = JSON.parse(String(data)) as ServerFrame;
    watch.frame?.(frame);
    member.hear(frame);
  });
  socket.addEventListener("close", ({ code }) => over(code));
  socket.addEventListener("error", cut);
  return { cut };
}

/** A member who breaks and comes back at random, by itself, as long as it is wanted there. */
interface RawMember {
  member: Member;
  /** Breaks the connection now; the next one goes to the process at `url`. */
  move(url: string): void;
  close(): void;
}

export function connectRaw(room: string, id: number, firstUrl: string): RawMember {
  const member = createMember(room, id);
  const chance = createRandom(id);
  let url = firstUrl;
  let isClosed = false;
  let link = { cut: (): void => {} };

  const connect = (): void => {
    if (isClosed) return;
    link = linkMember(member, url, { closed: () => setTimeout(connect, 50 + chance() * 150) });
  };
  connect();
  return {
    member,
    move: (next) => {
      url = next;
      link.cut();
    },
    close: () => {
      isClosed = true;
      link.cut();
    },
  };
}

/** The typed client as a member: what its listener was told, and what its promises said. */
export function connectTyped(room: string, id: number, url: string) {
  const faults: string[] = [];
  let held: MessageFrame[] = [];
  const acknowledged = new Map<string, { id: number; offset: number }>();
  const texts = new Map<string, { id: number; offset: number }>();
  let unanswered = 0;
  let leaves = 0;
  let isIn = false;
  const client = connectChat({ url, userId: id, name: `typed${id}` });
  const enter = (): ChatRoom => {
    let isHere = true;
    const told = (words: string): void => {
      if (!isHere) faults.push(`typed member ${id} was told of ${words} after it had left`);
    };
    return client.join(room, {
      joined: () => {
        told("the room");
        isIn = true;
      },
      reset: () => faults.push(`typed member ${id} had to begin anew`),
      gap: (from, to) => faults.push(`typed member ${id} was told of a gap from ${from} to ${to}`),
      left: (reason) => {
        isHere = false;
        if (reason !== null) faults.push(`typed member ${id} was shown out: ${reason.message}`);
      },
      message: (message) => {
        told(`${message.offset}`);
        held.push(message);
        if (message.kind === "remove") held = held.map((one) => withoutText(one, message.target));
      },
    });
  };
  let chat = enter();
  const own = (asked: Promise<unknown>, mustSucceed: boolean): void => {
    unanswered++;
    const leavesBefore = leaves;
    asked
      .catch((error: unknown) => {
        // A change is not asked for again after a break, and may concern what is gone; and who leaves
        // while it is not in the room gives up what it wanted to say there.
        if (mustSucceed && leaves === leavesBefore)
          faults.push(`typed member ${id} was refused: ${String(error)}`);
      })
      .finally(() => unanswered--);
  };
  return {
    id,
    faults,
    acknowledged,
    texts,
    get held() {
      return held;
    },
    isIn: () => isIn,
    isAnswered: () => unanswered === 0,
    reached: () => held.at(-1)?.offset ?? 0,
    say: (text: string) =>
      own(
        chat.say(text).then((sent) => texts.set(text, sent)),
        true,
      ),
    edit: (messageId: number, text: string) => own(chat.edit(messageId, text), false),
    remove: (messageId: number) => own(chat.remove(messageId), false),
    /** Leaves the room and enters it again at once. */
    reenter: () => {
      leaves++;
      chat.leave();
      held = [];
      isIn = false;
      chat = enter();
    },
    close: () => client.close(),
  };
}
