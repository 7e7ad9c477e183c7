import { useEffect } from "preact/hooks";

/** Names the page in the browser's tab while a view is shown. */
export function useTitle(title: string): void {
  useEffect(() => {
    const before = document.title;
    document.title = `${title} · Earshot`;
    return () => {
      document.title = before;
    };
  }, [title]);
}
