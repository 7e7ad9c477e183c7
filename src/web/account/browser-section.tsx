import { useApp } from "../context.ts";
import type { Theme } from "../preferences.ts";
import { CaptionSize } from "../rooms/caption-size.tsx";
import { LanguageChoice } from "../parts/language-choice.tsx";

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
      <LanguageChoice
        label="Language you speak"
        isBare={false}
        value={language.value}
        onChange={(chosen) => {
          language.value = chosen;
        }}
      />
    </section>
  );
}
