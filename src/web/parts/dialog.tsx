import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "./icon.tsx";

interface DialogProps {
  title: string;
  onClose(): void;
  children: ComponentChildren;
}

/** A window over the page; the browser keeps the keyboard inside it and gives it back afterwards. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => element.current?.showModal(), []);
  return (
    <dialog
      ref={element}
      aria-labelledby="dialog-title"
      onClose={onClose}
      onClick={({ target }) => {
        // Beside it lies the backdrop, which belongs to it.
        if (target === element.current) element.current?.close();
      }}
    >
      <div class="stack">
        <div class="row apart">
          <h2 id="dialog-title">{title}</h2>
          <button
            type="button"
            class="button plain icon"
            aria-label="Close"
            onClick={() => element.current?.close()}
          >
            <Icon name="close" />
          </button>
        </div>
        {children}
      </div>
    </dialog>
  );
}
