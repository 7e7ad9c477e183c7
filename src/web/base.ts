import { options } from "preact";

/** The path that the server stands below, such as `/earshot`; empty at the root. */
export function basePath(): string {
  return document.documentElement.dataset["base"] ?? "";
}

/** An address of the app or of the API, as the browser has to ask for it. */
export function below(address: string): string {
  return address.startsWith("/") ? basePath() + address : address;
}

/** Makes every link of the app, which are written as if it stood at the root, lead below the prefix. */
export function linkBelow(): void {
  if (basePath() === "") return;
  const before = options.vnode;
  options.vnode = (vnode) => {
    const props = vnode.props as { href?: unknown };
    if (vnode.type === "a" && typeof props.href === "string") props.href = below(props.href);
    before?.(vnode);
  };
}
