/** Mixes channels of equal length down to one by averaging. */
export function mixDown(channels: readonly Float32Array[]): Float32Array {
  const [first, second] = channels;
  if (first === undefined) return new Float32Array(0);
  if (second === undefined) return first;
  const mixed = new Float32Array(first.length);
  for (const channel of channels) {
    for (let at = 0; at < mixed.length; at += 1) mixed[at] = (mixed[at] ?? 0) + (channel[at] ?? 0);
  }
  for (let at = 0; at < mixed.length; at += 1) mixed[at] = (mixed[at] ?? 0) / channels.length;
  return mixed;
}
