import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { Icon } from "./icon.tsx";

interface DropTargetProps {
  /** What becomes of files that are let go. */
  promise: string;
  onFiles(files: readonly File[]): void;
  children: ComponentChildren;
}

/** A place that takes files which are dragged onto it, wherever they are let go. */
export function DropTarget({ promise, onFiles, children }: DropTargetProps) {
  const isOver = useSignal(false);
  // Parts inside are entered before the one around them is left.
  const depth = useRef(0);
  const end = (): void => {
    depth.current = 0;
    isOver.value = false;
  };
  return (
    <div
      class="drop-target"
      onDragEnter={(event) => {
        if (!holdsFiles(event)) return;
        event.preventDefault();
        depth.current++;
        isOver.value = true;
      }}
      onDragOver={(event) => {
        if (holdsFiles(event)) event.preventDefault();
      }}
      onDragLeave={() => {
        if (isOver.value && --depth.current <= 0) end();
      }}
      onDrop={(event) => {
        if (!holdsFiles(event)) return;
        event.preventDefault();
        end();
        onFiles([...(event.dataTransfer?.files ?? [])]);
      }}
    >
      {children}
      {isOver.value && (
        <div class="drop-here" aria-hidden="true">
          <span>
            <Icon name="upload" />
            Let go, and {promise}
          </span>
        </div>
      )}
    </div>
  );
}

function holdsFiles({ dataTransfer }: DragEvent): boolean {
  return dataTransfer?.types.includes("Files") ?? false;
}
