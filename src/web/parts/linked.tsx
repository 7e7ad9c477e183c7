const ADDRESS = /(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]])/u;

/** Text in which web addresses can be followed. */
export function Linked({ text }: { text: string }) {
  return (
    <>
      {text.split(ADDRESS).map((part, at) =>
        // Every second part is what the pattern caught.
        at % 2 === 0 ? (
          part
        ) : (
          <a href={part} target="_blank" rel="noopener noreferrer">
            {part}
          </a>
        ),
      )}
    </>
  );
}
