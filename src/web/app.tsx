import { effect, signal } from "@preact/signals";
import { render } from "preact";
import { type ChatClient, connectChat } from "../client/chat.ts";
import type { ConnectionState, Identity } from "../client/connection.ts";
import { Gate } from "./account/gate.tsx";
import { createApi, post, whoIs } from "./api.ts";
import { basePath, linkBelow } from "./base.ts";
import { createSpeaking } from "./audio/speaking.ts";
import { type App, AppContext } from "./context.ts";
import { LineNotice } from "./line.tsx";
import { createPreferences } from "./preferences.ts";
import { followRooms } from "./rooms/last-rooms.ts";
import { createRouter } from "./router.ts";
import { type Session, createSession } from "./session.ts";
import { Shell } from "./shell.tsx";
import { openStorage } from "./storage.ts";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/shell.css";
import "./styles/rooms.css";
import "./styles/account.css";
import "./styles/transcriptions.css";
import { createTurns } from "./turn.ts";
import "./styles/topics.css";
import { View } from "./view.tsx";

// Builds the app, top to bottom, and shows it.

const root = document.documentElement;
const { auth, registration, assets = "" } = root.dataset;
const storage = openStorage(() => localStorage, window);
const tabStorage = openStorage(() => sessionStorage, window);
const preferences = createPreferences(storage, root);
linkBelow();
const router = createRouter(window);
const api = createApi(() => session);
const session: Session = createSession({
  auth: auth === "open" ? "open" : "required",
  isRegistrationOpen: registration === "open",
  storage,
  inTurn: createTurns({
    name: "earshot.session",
    locks: "locks" in navigator ? navigator.locks : undefined,
    storage,
  }),
  post,
  whoIs,
});
followRooms(router.place, session.person, storage);

const identity = (): Identity => {
  const url = location.origin.replace(/^http/, "ws") + basePath();
  const { value: person } = session.person;
  if (person?.role === "guest") {
    return { url, userId: person.id, name: person.name };
  }
  return { url, token: async () => (await session.credentials()).token ?? "" };
};

const line = signal<ConnectionState>("open");
let chatClient: { of: string; client: ChatClient } | null = null;

const leaveChat = (): void => {
  const left = chatClient;
  chatClient = null;
  left?.client.close();
  // That it is closed now is nobody's concern.
  line.value = "open";
};
// Whoever has signed out is in no room.
effect(() => {
  if (session.person.value === null) leaveChat();
});
void session.check();

/** One socket for all rooms; somebody else, or another name, comes in anew. */
const chat = (): ChatClient => {
  const { value: person } = session.person;
  const of = `${person?.id} ${person?.name}`;
  if (chatClient?.of === of) return chatClient.client;
  leaveChat();
  const client = connectChat({
    ...identity(),
    onState: (state) => {
      if (chatClient?.client !== client && chatClient !== null) return;
      // The first connection is no break.
      if (state !== "connecting") line.value = state;
      // A browser does not say why a socket was refused: the session may be over.
      if (state === "waiting") void session.check();
    },
  });
  chatClient = { of, client };
  return client;
};

const speaking = createSpeaking({ workletUrl: `${assets}/microphone.worklet.js`, identity });
const app: App = {
  api,
  session,
  router,
  preferences,
  storage,
  tabStorage,
  speaking,
  chat,
  identity,
};

render(
  <AppContext.Provider value={app}>
    <Shell assets={assets}>
      <Gate>
        <View />
      </Gate>
    </Shell>
    <LineNotice state={line} />
  </AppContext.Provider>,
  document.querySelector("#app") ?? document.body,
);
