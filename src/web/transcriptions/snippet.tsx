const ESCAPES: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&#39;": "'",
};

/** Text of the server's in which what was found stands between `<mark>` and `</mark>`. */
export function Snippet({ html }: { html: string }) {
  return (
    <>
      {/* Every second part lies between two marks. */}
      {html
        .split(/<\/?mark>/)
        .map((part, at) => (at % 2 === 0 ? plain(part) : <mark>{plain(part)}</mark>))}
    </>
  );
}

function plain(escaped: string): string {
  return escaped.replace(/&(?:amp|lt|gt|quot|#39);/g, (found) => ESCAPES[found] ?? found);
}
