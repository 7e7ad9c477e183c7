/** Mono samples in [-1, 1] at `sampleRate` Hz. */
export interface SoundPiece {
  samples: Float32Array;
  sampleRate: number;
}

/** Reads one kind of file from bytes in pieces of any size. */
export interface KindReader {
  /** The sound that the bytes complete, a little at a time. Throws `UnsupportedAudio`. */
  push(bytes: Uint8Array): AsyncGenerator<SoundPiece>;
  /** What is left once no more bytes come. Throws `UnsupportedAudio`. */
  end(): AsyncGenerator<SoundPiece>;
  free(): void;
}

/** Turns one codec's packets into sound. */
export interface PacketDecoder {
  /** In Hz. */
  readonly sampleRate: number;
  /** Mono samples in [-1, 1]; none for a packet that is a header or broken. */
  decode(packet: Uint8Array): Promise<Float32Array>;
  free(): void;
}
