const BLOCK_BYTES = 64;
const LENGTH_BYTES = 8;
const WORD_RANGE = 2 ** 32;
const ROUNDS = 64;
const WORDS = 8;

/**
 * Makes what computes the SHA-256 (FIPS 180-4) of a text's UTF-8 bytes, in hexadecimal. The browser's
 * own is missing on pages that came over plain http from another machine.
 */
export function createSha256(): (text: string) => string {
  const encoder = new TextEncoder();
  const primes = firstPrimes(ROUNDS);
  const keys = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));
  const start = Int32Array.from(primes.slice(0, WORDS), (prime) => fraction(Math.sqrt(prime)));
  const words = new Int32Array(ROUNDS);

  const mix = (hash: Int32Array): void => {
    for (let i = 16; i < ROUNDS; i++) {
      const early = at(words, i - 15);
      const late = at(words, i - 2);
      const first = turn(early, 7) ^ turn(early, 18) ^ (early >>> 3);
      const second = turn(late, 17) ^ turn(late, 19) ^ (late >>> 10);
      words[i] = (at(words, i - 16) + first + at(words, i - 7) + second) | 0;
    }
    let a = at(hash, 0);
    let b = at(hash, 1);
    let c = at(hash, 2);
    let d = at(hash, 3);
    let e = at(hash, 4);
    let f = at(hash, 5);
    let g = at(hash, 6);
    let h = at(hash, 7);
    for (let i = 0; i < ROUNDS; i++) {
      const turned = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
      const one = (h + turned + ((e & f) ^ (~e & g)) + at(keys, i) + at(words, i)) | 0;
      const two = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = (d + one) | 0;
      d = c;
      c = b;
      b = a;
      a = (one + two) | 0;
    }
    hash.set([a, b, c, d, e, f, g, h].map((value, place) => at(hash, place) + value));
  };

  return (text) => {
    const bytes = encoder.encode(text);
    const blocks = Math.ceil((bytes.length + 1 + LENGTH_BYTES) / BLOCK_BYTES);
    const padded = new Uint8Array(blocks * BLOCK_BYTES);
    padded.set(bytes);
    padded[bytes.length] = 0x80;
    const view = new DataView(padded.buffer);
    view.setUint32(padded.length - 8, Math.floor((bytes.length * 8) / WORD_RANGE));
    view.setUint32(padded.length - 4, (bytes.length * 8) >>> 0);
    const hash = start.slice();
    for (let block = 0; block < padded.length; block += BLOCK_BYTES) {
      for (let i = 0; i < 16; i++) words[i] = view.getInt32(block + 4 * i);
      mix(hash);
    }
    return [...hash].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  };
}

function at(words: Int32Array, place: number): number {
  return words[place] as number;
}

function turn(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

/** The first 32 bits behind the point. */
function fraction(value: number): number {
  return ((value % 1) * WORD_RANGE) | 0;
}

function firstPrimes(count: number): number[] {
  const primes: number[] = [];
  for (let candidate = 2; primes.length < count; candidate++) {
    if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate);
  }
  return primes;
}
