/*
 * The decoders are loaded when a file asks for one, and handed on as whole modules. In the
 * compiled program anything less breaks them: their packages claim to have no side effects, the
 * bundler (Bun 1.4.5) believes it and drops what is not named, and then what their own entry still
 * refers to is not there.
 */

/** libFLAC. */
export async function loadFlac() {
  return await import("@wasm-audio-decoders/flac");
}

/** mpg123. */
export async function loadMpeg() {
  return await import("mpg123-decoder");
}

/** libopus. */
export async function loadOpus() {
  return await import("opus-decoder");
}

/** libvorbis. */
export async function loadVorbis() {
  return await import("@wasm-audio-decoders/ogg-vorbis");
}
