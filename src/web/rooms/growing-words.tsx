import { useLayoutEffect, useRef } from "preact/hooks";
import type { Interim } from "./present.ts";

interface GrowingWordsProps {
  interim: Pick<Interim, "text" | "stable">;
}

/** Words that are still changing; they never get lower, so that nothing beside them jumps. */
export function GrowingWords({ interim: { text, stable } }: GrowingWordsProps) {
  const element = useRef<HTMLParagraphElement>(null);
  const lowest = useRef({ height: 0, width: 0, font: "" });
  useLayoutEffect(() => {
    const { current } = element;
    if (current === null) return;
    const { offsetHeight: height, offsetWidth: width } = current;
    const font = getComputedStyle(current).fontSize;
    const before = lowest.current;
    // With other letters, or in another window, what was reserved says nothing.
    if (before.width !== width || before.font !== font) {
      current.style.minHeight = "";
      lowest.current = { height: current.offsetHeight, width, font };
    } else if (height > before.height) {
      lowest.current = { ...before, height };
    }
    current.style.minHeight = `${lowest.current.height}px`;
  }, [text]);
  return (
    <p class="words" dir="auto" ref={element}>
      {text.slice(0, stable)}
      <span class="unsure">{text.slice(stable)}</span>
    </p>
  );
}
