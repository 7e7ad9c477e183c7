import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { ChatClient } from "../client/chat.ts";
import type { Api } from "./api.ts";
import type { Speaking } from "./audio/speaking.ts";
import type { Preferences } from "./preferences.ts";
import type { Router } from "./router.ts";
import type { Session } from "./session.ts";
import type { KeptStorage } from "./storage.ts";
import type { Identity } from "../client/connection.ts";

/** What every view may use. */
export interface App {
  api: Api;
  session: Session;
  router: Router;
  preferences: Preferences;
  /** What this browser keeps. */
  storage: KeptStorage;
  /** What it keeps for this tab only. */
  tabStorage: KeptStorage;
  speaking: Speaking;
  /** The one chat socket of this page; made when it is first needed, and anew for another person. */
  chat(): ChatClient;
  /** Who connects, for sockets. */
  identity(): Identity;
}

export const AppContext = createContext<App | null>(null);

export function useApp(): App {
  const app = useContext(AppContext);
  if (app === null) throw new Error("a view stands outside the app");
  return app;
}
