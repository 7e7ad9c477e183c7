/** The Fourier transform of real samples. The arrays are the caller's: nothing is allocated. */
export interface RealFft {
  /**
   * Transforms `points` samples into `points / 2 + 1` complex values, from 0 Hz to half the sample
   * rate; their real parts go to `re`, their imaginary parts to `im`. `samples` stays as it is.
   */
  transform(samples: Float64Array, re: Float64Array, im: Float64Array): void;
}

/** The cosine transform of real values. The arrays are the caller's: nothing is allocated. */
export interface CosineTransform {
  /**
   * Gives `out[k] = (values[0] ± values[n]) / 2 + Σ values[j] cos(πjk/n)` for k up to `n`, with
   * `n + 1` values. Of a power spectrum that is half the autocorrelation. `values` stays as it is.
   */
  transform(values: Float64Array, out: Float64Array): void;
}

/**
 * Creates a transform of `points` samples, a power of two from 8 up.
 *
 * It is the radix-2 algorithm of J. Cooley and J. Tukey ("An algorithm for the machine calculation
 * of complex Fourier series", 1965), its first two stages in one, on half as many complex numbers:
 * the even and the odd samples, which are then taken apart (H. Sorensen and others, "Real-valued
 * fast Fourier transform algorithms", 1987).
 */
export function createRealFft(points: number): RealFft {
  const half = points / 2;
  const cosines = Float64Array.from({ length: half }, (_, at) =>
    Math.cos((2 * Math.PI * at) / points),
  );
  const sines = Float64Array.from({ length: half }, (_, at) =>
    Math.sin((2 * Math.PI * at) / points),
  );
  const places = reverseBits(half);
  const real = new Float64Array(half);
  const imaginary = new Float64Array(half);

  function transform(samples: Float64Array, re: Float64Array, im: Float64Array): void {
    for (let at = 0; at < half; at += 1) {
      const place = places[at] ?? 0;
      real[place] = samples[2 * at] ?? 0;
      imaginary[place] = samples[2 * at + 1] ?? 0;
    }
    transformQuads(real, imaginary);
    for (let size = 8; size <= half; size *= 2) {
      combine(real, imaginary, cosines, sines, size, points / size);
    }
    takeApart(re, im);
  }

  function takeApart(re: Float64Array, im: Float64Array): void {
    const firstReal = real[0] ?? 0;
    const firstImaginary = imaginary[0] ?? 0;
    re[0] = firstReal + firstImaginary;
    im[0] = 0;
    re[half] = firstReal - firstImaginary;
    im[half] = 0;
    for (let at = 1; at < half; at += 1) {
      const realA = real[at] ?? 0;
      const realB = real[half - at] ?? 0;
      const imaginaryA = imaginary[at] ?? 0;
      const imaginaryB = imaginary[half - at] ?? 0;
      const oddReal = (imaginaryA + imaginaryB) / 2;
      const oddImaginary = (realB - realA) / 2;
      const cosine = cosines[at] ?? 0;
      const sine = sines[at] ?? 0;
      re[at] = (realA + realB) / 2 + oddReal * cosine + oddImaginary * sine;
      im[at] = (imaginaryA - imaginaryB) / 2 + oddImaginary * cosine - oddReal * sine;
    }
  }

  return { transform };
}

/**
 * Creates a cosine transform (DCT-I) of `intervals + 1` values, `intervals` a power of two from 8 up.
 *
 * It makes one real Fourier transform of `intervals` points do, by the method of W. Press and
 * others, "Numerical recipes" (`cosft1`).
 */
export function createCosineTransform(intervals: number): CosineTransform {
  const fft = createRealFft(intervals);
  const cosines = Float64Array.from({ length: intervals }, (_, at) =>
    Math.cos((Math.PI * at) / intervals),
  );
  const sines = Float64Array.from({ length: intervals }, (_, at) =>
    Math.sin((Math.PI * at) / intervals),
  );
  const folded = new Float64Array(intervals);
  const re = new Float64Array(intervals / 2 + 1);
  const im = new Float64Array(intervals / 2 + 1);

  function transform(values: Float64Array, out: Float64Array): void {
    const first = values[0] ?? 0;
    const last = values[intervals] ?? 0;
    let odd = (first - last) / 2;
    folded[0] = (first + last) / 2;
    for (let at = 1; at < intervals; at += 1) {
      const near = values[at] ?? 0;
      const far = values[intervals - at] ?? 0;
      folded[at] = (near + far) / 2 - (sines[at] ?? 0) * (near - far);
      odd += near * (cosines[at] ?? 0);
    }
    fft.transform(folded, re, im);
    out[0] = re[0] ?? 0;
    out[1] = odd;
    for (let at = 1; at < intervals / 2; at += 1) {
      // This transform counts its angles the other way round than the book does.
      odd -= im[at] ?? 0;
      out[2 * at] = re[at] ?? 0;
      out[2 * at + 1] = odd;
    }
    out[intervals] = re[intervals / 2] ?? 0;
  }

  return { transform };
}

/** The first two stages, whose factors are 1 and -i only. */
function transformQuads(real: Float64Array, imaginary: Float64Array): void {
  for (let at = 0; at < real.length; at += 4) {
    const real0 = real[at] ?? 0;
    const real1 = real[at + 1] ?? 0;
    const real2 = real[at + 2] ?? 0;
    const real3 = real[at + 3] ?? 0;
    const imaginary0 = imaginary[at] ?? 0;
    const imaginary1 = imaginary[at + 1] ?? 0;
    const imaginary2 = imaginary[at + 2] ?? 0;
    const imaginary3 = imaginary[at + 3] ?? 0;
    const realA = real0 + real1;
    const realB = real0 - real1;
    const realC = real2 + real3;
    const realD = real2 - real3;
    const imaginaryA = imaginary0 + imaginary1;
    const imaginaryB = imaginary0 - imaginary1;
    const imaginaryC = imaginary2 + imaginary3;
    const imaginaryD = imaginary2 - imaginary3;
    real[at] = realA + realC;
    real[at + 1] = realB + imaginaryD;
    real[at + 2] = realA - realC;
    real[at + 3] = realB - imaginaryD;
    imaginary[at] = imaginaryA + imaginaryC;
    imaginary[at + 1] = imaginaryB - realD;
    imaginary[at + 2] = imaginaryA - imaginaryC;
    imaginary[at + 3] = imaginaryB + realD;
  }
}

/** One stage: pairs of transforms of `size / 2` numbers become transforms of `size`. */
function combine(
  real: Float64Array,
  imaginary: Float64Array,
  cosines: Float64Array,
  sines: Float64Array,
  size: number,
  stride: number,
): void {
  const step = size / 2;
  for (let start = 0; start < real.length; start += size) {
    for (let at = 0; at < step; at += 1) {
      const a = start + at;
      const b = a + step;
      const cosine = cosines[at * stride] ?? 0;
      const sine = sines[at * stride] ?? 0;
      const realA = real[a] ?? 0;
      const imaginaryA = imaginary[a] ?? 0;
      const realB = real[b] ?? 0;
      const imaginaryB = imaginary[b] ?? 0;
      const turnedReal = realB * cosine + imaginaryB * sine;
      const turnedImaginary = imaginaryB * cosine - realB * sine;
      real[b] = realA - turnedReal;
      imaginary[b] = imaginaryA - turnedImaginary;
      real[a] = realA + turnedReal;
      imaginary[a] = imaginaryA + turnedImaginary;
    }
  }
}

function reverseBits(length: number): Uint16Array {
  const bits = Math.log2(length);
  return Uint16Array.from({ length }, (_, at) => {
    let reversed = 0;
    for (let bit = 0; bit < bits; bit += 1) reversed |= ((at >> bit) & 1) << (bits - 1 - bit);
    return reversed;
  });
}
