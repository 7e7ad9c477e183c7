import { useComputed, useSignal } from "@preact/signals";
import { useMemo, useRef } from "preact/hooks";
import { useApp } from "../context.ts";
import { Icon } from "../parts/icon.tsx";
import { LanguageChoice } from "../parts/language-choice.tsx";
import { NameHint } from "./name-hint.tsx";
import type { RoomState } from "./room-state.ts";

interface ComposerProps {
  name: string;
  room: RoomState;
}

const CHARACTERS_MAX = 4_000;
/** From here on it is said how many are left. */
const CHARACTERS_SHOWN = 3_600;

/** Where one writes, or speaks. */
export function Composer({ name, room }: ComposerProps) {
  const { session, tabStorage } = useApp();
  // What is typed outlives a page that is loaded anew, and a session that ends meanwhile.
  const draftKey = `earshot.draft ${session.person.value?.id} ${name}`;
  const draft = useMemo(() => tabStorage.getItem(draftKey) ?? "", []);
  const text = useSignal(draft);
  const field = useRef<HTMLTextAreaElement>(null);
  const characters = useComputed(() => [...text.value].length);

  const say = (): void => {
    const said = text.value.trim();
    if (said === "" || characters.value > CHARACTERS_MAX) return;
    room.say(said);
    text.value = "";
    tabStorage.removeItem(draftKey);
    if (field.current !== null) field.current.value = "";
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        say();
        field.current?.focus();
      }}
    >
      <Unsent room={room} />
      <NameHint />
      <Voice name={name} />
      <div class="composer-row">
        <label class="spoken" for="words">
          Message
        </label>
        <textarea
          id="words"
          class="input"
          ref={field}
          rows={1}
          placeholder="Write to the room"
          dir="auto"
          defaultValue={draft}
          enterkeyhint="send"
          onInput={({ currentTarget }) => {
            text.value = currentTarget.value;
            tabStorage.setItem(draftKey, text.value);
            if (text.value !== "") room.showTyping();
          }}
          onKeyDown={(event) => {
            // An open word of an input method is finished by Enter first.
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            say();
          }}
        />
        <button
          type="submit"
          class="button main icon"
          aria-label="Send"
          disabled={text.value.trim() === "" || characters.value > CHARACTERS_MAX}
        >
          <Icon name="send" />
        </button>
      </div>
      {characters.value > CHARACTERS_SHOWN && (
        <p class="small muted" role="status">
          {CHARACTERS_MAX - characters.value} characters left
        </p>
      )}
    </form>
  );
}

function Unsent({ room }: { room: RoomState }) {
  return (
    <>
      {room.unsent.value.map((unsent) => (
        <div class="notice bad" role="alert" key={unsent.clientId}>
          <span class="long">
            Not sent ({unsent.reason}): {unsent.text}
          </span>
          <span class="row">
            <button type="button" class="button compact" onClick={() => room.sayAgain(unsent)}>
              Send again
            </button>
            <button type="button" class="button compact" onClick={() => room.forget(unsent)}>
              Leave it
            </button>
          </span>
        </div>
      ))}
    </>
  );
}

/** The microphone: a large button, a meter, mute, and the language that is spoken. */
function Voice({ name }: { name: string }) {
  const { speaking, preferences } = useApp();
  const { state, level, problem } = speaking;
  const isOff = state.value === "off";
  const isBusy = state.value === "opening" || state.value === "ending";
  return (
    <div class="voice">
      <button
        type="button"
        class={`button ${isOff ? "" : "speaking"}`}
        disabled={isBusy}
        onClick={() =>
          void (isOff ? speaking.start(name, preferences.language.value) : speaking.stop())
        }
      >
        <Icon name={isOff ? "microphone" : "stop"} />
        {VOICE_WORDS[state.value]}
      </button>
      {!isOff && (
        <button
          type="button"
          class="button"
          aria-pressed={state.value === "muted"}
          disabled={isBusy}
          onClick={() => speaking.setMuted(state.value !== "muted")}
        >
          <Icon name="muted" />
          Mute
        </button>
      )}
      {!isOff && <Meter level={level.value} isMuted={state.value === "muted"} />}
      {isOff && (
        <LanguageChoice
          label="Language you speak"
          value={preferences.language.value}
          onChange={(language) => {
            preferences.language.value = language;
          }}
        />
      )}
      {problem.value !== null && (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      )}
    </div>
  );
}

const VOICE_WORDS = {
  off: "Speak",
  opening: "Opening…",
  on: "Stop speaking",
  muted: "Stop speaking",
  ending: "Finishing…",
};

function Meter({ level, isMuted }: { level: number; isMuted: boolean }) {
  return (
    <span class="meter" aria-hidden="true" data-muted={isMuted}>
      <span style={{ transform: `scaleX(${isMuted ? 0 : level})` }} />
    </span>
  );
}
