interface User {
  id: number;
  name: string;
}

/** Colours of people lie so far apart on the wheel that neighbours by id differ. */
const HUE_STEP = 137.5;

/** The colour that a person has everywhere, as `--hue`. */
function hueOf({ id }: User): { "--hue": string } {
  return { "--hue": String(Math.round((id * HUE_STEP) % 360)) };
}

export function Avatar({ user }: { user: User }) {
  return (
    <span
      class="avatar"
      style={hueOf(user)}
      data-initials={initialsOf(user.name)}
      aria-hidden="true"
    />
  );
}

export function Name({ user }: { user: User }) {
  return (
    <span class="name" style={hueOf(user)} dir="auto">
      {shownName(user)}
    </span>
  );
}

/** Whoever erased the own account leaves messages without a name. */
export function shownName({ name }: User): string {
  return name === "" ? "Somebody who left" : name;
}

function initialsOf(name: string): string {
  const words = name.trim().split(/\s+/u).slice(0, 2);
  const segmenter = new Intl.Segmenter();
  // A letter of Hindi and its vowel sign belong together.
  return words.map((word) => [...segmenter.segment(word)][0]?.segment.toUpperCase() ?? "").join("");
}
