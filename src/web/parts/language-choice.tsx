const LANGUAGES = [
  ["en", "English"],
  ["hi", "हिन्दी"],
] as const;

interface LanguageChoiceProps {
  label: string;
  value: string;
  onChange(language: string): void;
  /** What the choice of none is called; without it one of them is always chosen. */
  none?: string;
  /** Whether the label is only for those who listen to the page. */
  isBare?: boolean;
  disabled?: boolean;
}

/** A choice of one of the languages that are understood here, each by its own name. */
export function LanguageChoice(props: LanguageChoiceProps) {
  const { label, value, onChange, none, isBare = true, disabled = false } = props;
  return (
    <label class={isBare ? "language" : "field"}>
      <span class={isBare ? "spoken" : undefined}>{label}</span>
      <select
        class="input"
        value={value}
        disabled={disabled}
        onChange={({ currentTarget }) => onChange(currentTarget.value)}
      >
        {none !== undefined && <option value="">{none}</option>}
        {LANGUAGES.map(([tag, name]) => (
          <option key={tag} value={tag} lang={tag}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
