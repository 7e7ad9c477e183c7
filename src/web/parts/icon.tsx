const PATHS = {
  rooms: "M4 5h16v11H9l-5 4z",
  transcriptions: "M6 3h9l4 4v14H6zM9 12h7M9 16h5",
  topics: "M4 20V10M10 20V4M16 20v-8M21 20H3",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c1-5 15-5 16 0",
  people:
    "M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 20c1-5 13-5 14 0M16 4a4 4 0 0 1 0 7M18 15c2 .5 3.500 2 4 5",
  microphone: "M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM5 11a7 7 0 0 0 14 0M12 18v3",
  muted:
    "M15 9.500V6a3 3 0 0 0-6 0v1M9 11a3 3 0 0 0 4.500 2.600M5 11a7 7 0 0 0 11 5.700M12 18v3M4 4l16 16",
  stop: "M7 7h10v10H7z",
  send: "M4 12 20 4l-5 16-3-7z",
  share: "M8 12h8M16 12l-4-4M16 12l-4 4M4 4v16",
  wall: "M3 5h18v12H3zM9 21h6M7 13h6",
  close: "M6 6l12 12M18 6 6 18",
  down: "M12 5v14M6 13l6 6 6-6",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20 20l-4-4",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  upload: "M12 20V9M7 13l5-5 5 5M5 4h14",
  edit: "M4 20h4L19 9l-4-4L4 16z",
  remove: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  summary: "M5 6h14M5 11h14M5 16h8",
  lock: "M6 11h12v9H6zM9 11V8a3 3 0 0 1 6 0v3",
  plus: "M12 5v14M5 12h14",
  more: "M5 12h.01M12 12h.01M19 12h.01",
} as const;

export type IconName = keyof typeof PATHS;

/** A drawing beside words, or inside a button that has a name of its own. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon-image" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
