interface MoreButtonProps {
  label: string;
  hasMore: boolean;
  isLoading: boolean;
  onMore(): void;
}

/** Under a list that goes on; it keeps the focus while it looks for more. */
export function MoreButton({ label, hasMore, isLoading, onMore }: MoreButtonProps) {
  if (!hasMore) return null;
  return (
    <button
      type="button"
      class="button centred"
      aria-disabled={isLoading}
      onClick={() => {
        if (!isLoading) onMore();
      }}
    >
      {isLoading ? "Looking…" : label}
    </button>
  );
}
