/** What went wrong, where it went wrong. */
export function Problem({ text }: { text: string | null }) {
  if (text === null) return null;
  return (
    <p class="notice bad" role="alert">
      {text}
    </p>
  );
}
