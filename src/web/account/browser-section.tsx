import { useApp } from "../context.ts";
import type { Theme } from "../preferences.ts";
import { CaptionSize } from "../rooms/caption-size.tsx";
import { LANGUAGES } from "../rooms/composer.tsx";

const THEMES: readonly [Theme, string][] = [
  ["system", "As the device"],
  ["light", "Light"],
  ["dark", "Dark"],
];

/** How this browser shows the app, and what is spoken into it. */
export function BrowserSection() {
  const { theme, language } = useApp().preferences;
  return (
    <section class="card stack" aria-labelledby="browser-heading">
      <h2 id="browser-heading">This browser</h2>
      <fieldset class="choice">
        <legend>Colours</legend>
        {THEMES.map(([value, label]) => (
          <label key={value}>
            <input
              type="radio"
              name="theme"
              value={value}
              checked={theme.value === value}
              onChange={() => {
                theme.value = value;
              }}
            />
            {label}
          </label>
        ))}
      </fieldset>
      <div class="field">
        <span>Size of the words in rooms</span>
        <div class="sample">
          <CaptionSize />
          <p>Hello</p>
        </div>
      </div>
      <label class="field">
        <span>Language you speak</span>
        <select
          class="input"
          value={language.value}
          onChange={({ currentTarget }) => {
            language.value = currentTarget.value;
          }}
        >
          {LANGUAGES.map(([code, label]) => (
            <option key={code} value={code} lang={code}>
              {label}
            </option>
          ))}
        </select>
      </label>
    </section>
  );
}
