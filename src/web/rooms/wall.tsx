import { useComputed, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { useApp } from "../context.ts";
import { Icon } from "../parts/icon.tsx";
import { Name } from "../parts/person.tsx";
import { roomAddress } from "../router.ts";
import { CaptionSize } from "./caption-size.tsx";
import { GrowingWords } from "./growing-words.tsx";
import type { RoomState } from "./room-state.ts";
import type { Said } from "./said.ts";

/** So many of the newest lines stand on the wall; older ones have left it at the top. */
const LINES_MAX = 30;

/** Only words, as large as a screen on a wall or a phone on the table wants them. */
export function Wall({ name, room }: { name: string; room: RoomState }) {
  const { router } = useApp();
  const element = useRef<HTMLDivElement>(null);
  const lines = useComputed(() => newest(room));
  const last = useComputed(() => lines.value.at(-1) ?? null);
  const leave = (): void => router.go(roomAddress(name), "replace");

  useEffect(() => {
    const onKey = ({ key }: KeyboardEvent): void => {
      if (key === "Escape") leave();
    };
    addEventListener("keydown", onKey);
    const release = keepAwake();
    return () => {
      removeEventListener("keydown", onKey);
      release();
    };
  }, []);
  useSignalEffect(() => {
    void [lines.value, room.interim.value];
    requestAnimationFrame(() => {
      const wall = element.current;
      if (wall !== null) wall.scrollTop = wall.scrollHeight;
    });
  });

  return (
    <div class="wall">
      <div class="wall-head">
        <h1 dir="auto">{name}</h1>
        <CaptionSize />
        {document.fullscreenEnabled && (
          <button
            type="button"
            class="button plain"
            onClick={() => void document.documentElement.requestFullscreen()}
          >
            Full screen
          </button>
        )}
        <button type="button" class="button plain" onClick={leave}>
          <Icon name="close" />
          Back to the room
        </button>
      </div>
      <div class="wall-lines" ref={element} tabIndex={0} role="log" aria-label="What is said">
        {lines.value.map((said, at) => (
          <WallLine key={said.key} said={said} before={lines.value[at - 1] ?? null} />
        ))}
        <div aria-hidden="true">
          {room.interim.value.map(({ segmentId, user, text, stable }) => (
            <div key={segmentId}>
              {last.value?.user.id !== user.id && <Name user={user} />}
              <GrowingWords interim={{ text, stable }} />
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}

function WallLine({ said, before }: { said: Said; before: Said | null }) {
  return (
    <p dir="auto">
      {before?.user.id !== said.user.id && <Name user={said.user} />}
      {said.text}
    </p>
  );
}

function newest({ blocks }: RoomState): Said[] {
  const last = blocks.value.slice(-2).flatMap(({ said }) => said.value);
  return last.filter(({ change }) => change !== "remove").slice(-LINES_MAX);
}

/** A phone on the table must not fall asleep. Browsers that cannot be kept awake are let be. */
function keepAwake(): () => void {
  let lock: WakeLockSentinel | null = null;
  let isOver = false;
  const ask = async (): Promise<void> => {
    if (document.visibilityState !== "visible" || !("wakeLock" in navigator)) return;
    lock = await navigator.wakeLock.request("screen").catch(() => null);
    if (isOver) void lock?.release();
  };
  // The browser takes it back whenever the page is out of sight.
  const onSight = (): void => void ask();
  document.addEventListener("visibilitychange", onSight);
  void ask();
  return () => {
    isOver = true;
    document.removeEventListener("visibilitychange", onSight);
    void lock?.release();
  };
}
