import { type ReadonlySignal, signal } from "@preact/signals";
import { basePath, below } from "./base.ts";

/** Where the app is, as its address says. */
export interface Place {
  /** The path's parts, decoded, such as `["rooms", "lobby"]`. */
  path: string[];
  query: URLSearchParams;
}

export interface Router {
  place: ReadonlySignal<Place>;
  /** Goes to an address of the app; `replace` leaves the one before out of the history. */
  go(address: string, how?: "push" | "replace"): void;
}

/** Follows the address bar, and links inside the app without loading the page anew. */
export function createRouter(window: Window): Router {
  const { history, location, document } = window;
  const place = signal(placeOf(location));
  const go = (address: string, how: "push" | "replace" = "push"): void => {
    if (how === "push") history.pushState(null, "", below(address));
    else history.replaceState(null, "", below(address));
    place.value = placeOf(location);
  };
  window.addEventListener("popstate", () => {
    place.value = placeOf(location);
  });
  document.addEventListener("click", (event) => {
    const link = (event.target as Element).closest("a");
    if (link === null || event.defaultPrevented || !isPlainClick(event)) return;
    if (link.origin !== location.origin || link.target !== "" || link.hasAttribute("download"))
      return;
    if (!isView(appPath(link.pathname))) return;
    // A place on this page is the browser's own.
    if (link.hash !== "" && link.pathname === location.pathname) return;
    event.preventDefault();
    go(link.href);
  });
  return { place, go };
}

export const roomAddress = (room: string): string => `/rooms/${encodeURIComponent(room)}`;

/** Whether the app itself shows an address; others, such as the API's explorer, are other pages. */
function isView(path: string): boolean {
  return path === "/" || /^\/(rooms|transcriptions|topics|account|sign-in)(\/|$)/.test(path);
}

/** A path without the prefix; empty for one that is not below it. */
function appPath(path: string): string {
  return `${path}/`.startsWith(`${basePath()}/`) ? path.slice(basePath().length) || "/" : "";
}

function isPlainClick({ button, ctrlKey, metaKey, shiftKey, altKey }: MouseEvent): boolean {
  return button === 0 && !ctrlKey && !metaKey && !shiftKey && !altKey;
}

function placeOf({ pathname, search }: Location): Place {
  const path = appPath(pathname)
    .split("/")
    .filter((part) => part !== "");
  return { path: path.map(decoded), query: new URLSearchParams(search) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
