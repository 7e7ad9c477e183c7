import type { ReadonlySignal } from "@preact/signals";
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { memo } from "preact/compat";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "../parts/icon.tsx";
import { shownName } from "../parts/person.tsx";
import { isSameDay } from "../parts/times.ts";
import { InterimLine, SaidLine, type SaidActions } from "./lines.tsx";
import type { Block } from "./history.ts";
import type { RoomState } from "./room-state.ts";
import { type Said, isTogether } from "./said.ts";

interface StreamProps {
  room: RoomState;
  actions: SaidActions;
}

/** So near to the end counts as at the end. */
const END_PX = 48;
/** Older messages are fetched when the reader comes so near to the oldest. */
const EARLY_PX = 600;
/** So many of the newest are told to those who listen; a flood is not read out. */
const TOLD_MAX = 5;

/** Everything said in a room, the newest at the end, and what is being said now. */
export function Stream({ room, actions }: StreamProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const isFollowing = useSignal(true);
  const below = useSignal(0);

  const toEnd = (): void => {
    const element = scroller.current;
    if (element !== null) element.scrollTop = element.scrollHeight;
  };

  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null || content.current === null) return;
    let height = element.scrollHeight;
    const observer = new ResizeObserver(() => {
      if (isFollowing.value) toEnd();
      height = element.scrollHeight;
    });
    observer.observe(content.current);
    observer.observe(element);
    const look = (): void => {
      const fromEnd = element.scrollHeight - element.scrollTop - element.clientHeight;
      // Growth is not scrolling: the observer follows it.
      if (element.scrollHeight !== height && isFollowing.value) return;
      isFollowing.value = fromEnd < END_PX;
      if (isFollowing.value) {
        below.value = 0;
        room.markRead();
      }
      if (element.scrollTop < EARLY_PX && room.hasEarlier.value) void loadEarlier();
    };
    element.addEventListener("scroll", look, { passive: true });
    toEnd();
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, [room]);

  /** What is looked at stays where it is, though it now has more above it. */
  const loadEarlier = async (): Promise<void> => {
    const element = scroller.current;
    if (element === null) return;
    const fromEnd = element.scrollHeight - element.scrollTop;
    const first = room.blocks.value[0];
    await room.loadEarlier().catch(() => undefined);
    if (room.blocks.value[0] === first) return;
    requestAnimationFrame(() => {
      if (!isFollowing.value) element.scrollTop = element.scrollHeight - fromEnd;
    });
  };

  useSignalEffect(() => {
    const { length } = room.fresh.value;
    if (length === 0) return;
    if (isFollowing.peek()) room.markRead();
    else below.value = below.peek() + length;
  });
  // What one says oneself is always shown.
  useSignalEffect(() => {
    if (room.sending.value.length === 0) return;
    isFollowing.value = true;
    requestAnimationFrame(toEnd);
  });

  return (
    <div class="stream">
      <div
        class="stream-scroller"
        ref={scroller}
        tabIndex={0}
        role="region"
        aria-label="What was said"
      >
        <div class="stream-content" ref={content}>
          {room.hasEarlier.value && (
            <button
              type="button"
              class="button plain compact earlier"
              onClick={() => void loadEarlier()}
            >
              Earlier messages
            </button>
          )}
          {room.blocks.value.map((block, at, all) => (
            <BlockLines
              key={block.key}
              block={block}
              before={all[at - 1] ?? null}
              readBefore={room.readBefore.value}
              actions={actions}
            />
          ))}
          <Coming room={room} actions={actions} />
        </div>
      </div>
      {!isFollowing.value && (
        <button
          type="button"
          class="button main below"
          onClick={() => {
            isFollowing.value = true;
            below.value = 0;
            toEnd();
          }}
        >
          <Icon name="down" />
          {below.value === 0 ? "To the newest" : `${below.value} new below`}
        </button>
      )}
      <Announcer fresh={room.fresh} />
    </div>
  );
}

/** What is on its way: headed as it will be when it is there, so that nothing jumps then. */
function Coming({ room, actions }: StreamProps) {
  let previous: Pick<Said, "user" | "at"> | null =
    room.blocks.value.at(-1)?.said.value.at(-1) ?? null;
  const isFirst = (next: Pick<Said, "user" | "at">): boolean => {
    const isBeginning = !isTogether(previous, next);
    previous = next;
    return isBeginning;
  };
  return (
    <>
      {room.sending.value.map((said) => (
        <SaidLine
          key={said.key}
          said={said}
          isFirst={isFirst(said)}
          isNewDay={false}
          actions={actions}
        />
      ))}
      <div aria-hidden="true">
        {room.interim.value.map((interim) => (
          <InterimLine
            key={interim.segmentId}
            interim={interim}
            isFirst={isFirst({ user: interim.user, at: Date.now() })}
          />
        ))}
      </div>
    </>
  );
}

interface BlockLinesProps {
  block: Block;
  before: Block | null;
  readBefore: number | null;
  actions: SaidActions;
}

const BlockLines = memo(({ block, before, readBefore, actions }: BlockLinesProps) => {
  const last = useComputed(() => before?.said.value.at(-1) ?? null);
  let previous = last.value;
  return (
    <div class="block">
      {block.said.value.map((said) => {
        const isNewDay = previous === null || !isSameDay(previous.at, said.at);
        const isUnread = isFirstUnread(previous, said, readBefore);
        const isFirst = isNewDay || isUnread || !isTogether(previous, said);
        previous = said;
        return (
          <>
            {isUnread && (
              <p class="unread">
                <span>New since you were here</span>
              </p>
            )}
            <SaidLine
              key={said.key}
              said={said}
              isFirst={isFirst}
              isNewDay={isNewDay}
              actions={actions}
            />
          </>
        );
      })}
    </div>
  );
});

function isFirstUnread(previous: Said | null, said: Said, readBefore: number | null): boolean {
  if (readBefore === null || readBefore === 0 || previous === null) return false;
  return previous.offset <= readBefore && said.offset > readBefore;
}

/** Tells new messages to those who listen to the page, when nothing else is being read to them. */
function Announcer({ fresh }: { fresh: ReadonlySignal<readonly Said[]> }) {
  const told = useSignal<readonly Said[]>([]);
  useSignalEffect(() => {
    told.value = [...told.peek(), ...fresh.value].slice(-TOLD_MAX);
  });
  return (
    <div class="spoken" role="log" aria-live="polite" aria-label="New messages">
      {told.value.map((said) => (
        <p key={said.key}>
          {shownName(said.user)}: {said.text}
        </p>
      ))}
    </div>
  );
}
