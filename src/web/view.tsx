import { AccountPage } from "./account/account-page.tsx";
import { KeysPage } from "./account/keys-page.tsx";
import { SignInPage } from "./account/sign-in-page.tsx";
import { useEffect, useMemo } from "preact/hooks";
import { createFileTranscription } from "./audio/file-transcription.ts";
import { useApp } from "./context.ts";
import { RoomPage } from "./rooms/room-page.tsx";
import { RoomsPage } from "./rooms/rooms-page.tsx";
import { TopicsPage } from "./topics/topics-page.tsx";
import { TranscriptionPage } from "./transcriptions/transcription-page.tsx";
import { TranscriptionsPage } from "./transcriptions/transcriptions-page.tsx";

/** The view that the address names. */
export function View() {
  const { router, identity } = useApp();
  // Recordings are written down while one looks at something else.
  const files = useMemo(() => createFileTranscription({ identity, window }), [identity]);
  useEffect(() => files.close, [files]);
  const [view = "rooms", name] = router.place.value.path;
  if (view === "rooms") {
    return name === undefined ? <RoomsPage /> : <RoomPage key={name} name={name} />;
  }
  if (view === "transcriptions") {
    if (name === undefined) return <TranscriptionsPage files={files} />;
    if (/^[1-9]\d{0,14}$/.test(name)) return <TranscriptionPage key={name} id={name} />;
  }
  if (view === "account") return name === "keys" ? <KeysPage /> : <AccountPage />;
  if (view === "sign-in") return <SignInPage />;
  if (view === "topics") return <TopicsPage publication={name ?? null} />;
  return (
    <div class="empty">
      <h1>There is nothing here</h1>
      <a class="button" href="/">
        All rooms
      </a>
    </div>
  );
}
