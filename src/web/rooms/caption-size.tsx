import { useApp } from "../context.ts";
import { CAPTION_SIZES } from "../preferences.ts";

/** Smaller and larger words. */
export function CaptionSize() {
  const { captionSize } = useApp().preferences;
  const size = captionSize.value;
  return (
    <div class="caption-size" role="group" aria-label="Size of the words">
      <button
        type="button"
        class="button plain icon"
        aria-label="Smaller words"
        disabled={size === 0}
        onClick={() => captionSize.value--}
        data-sign="A−"
      />
      <button
        type="button"
        class="button plain icon"
        aria-label="Larger words"
        disabled={size === CAPTION_SIZES.length - 1}
        onClick={() => captionSize.value++}
        data-sign="A+"
      />
    </div>
  );
}
