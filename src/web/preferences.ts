import { type Signal, effect, signal } from "@preact/signals";
import type { KeptStorage } from "./storage.ts";

export type Theme = "system" | "light" | "dark";
export const CAPTION_SIZES = [1, 1.125, 1.375, 1.75, 2.25, 3] as const;
const CAPTION_SIZE_FIRST = 1;

/** What this browser's user chose; kept in the browser. */
export interface Preferences {
  theme: Signal<Theme>;
  /** An index of `CAPTION_SIZES`. */
  captionSize: Signal<number>;
  /** What is spoken into the microphone. */
  language: Signal<string>;
}

/** Loads what was chosen, and from then on shows and keeps every change. */
export function createPreferences(storage: KeptStorage, root: HTMLElement): Preferences {
  const theme = signal<Theme>((storage.getItem("earshot.theme") as Theme | null) ?? "system");
  const kept = Number(storage.getItem("earshot.caption-size") ?? CAPTION_SIZE_FIRST);
  const captionSize = signal(kept in CAPTION_SIZES ? kept : CAPTION_SIZE_FIRST);
  const language = signal(storage.getItem("earshot.language") ?? "en");
  effect(() => {
    storage.setItem("earshot.theme", theme.value);
    root.dataset["theme"] = theme.value;
  });
  effect(() => {
    storage.setItem("earshot.caption-size", String(captionSize.value));
    const rem = CAPTION_SIZES[captionSize.value] ?? CAPTION_SIZES[CAPTION_SIZE_FIRST];
    root.style.setProperty("--caption", `${rem}rem`);
  });
  effect(() => storage.setItem("earshot.language", language.value));
  return { theme, captionSize, language };
}
