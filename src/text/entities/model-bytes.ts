/** Writes numbers into a growing row of bytes, least byte first. */
export interface Writer {
  uint32(value: number): void;
  float32(value: number): void;
  float64(value: number): void;
  bytes(values: Uint8Array): void;
  /** Numbers that never fall, with their count: what each adds to the one before, 7 bits a byte. */
  ascending(values: Uint32Array): void;
  /** All lowest bytes, then all second ones and so on: like bytes side by side compress better. */
  planes(values: Uint32Array): void;
  done(): Uint8Array<ArrayBuffer>;
}

/** Reads what a Writer wrote; throws RangeError past the end. */
export interface Reader {
  uint32(): number;
  float32(): number;
  float64(): number;
  bytes(count: number): Uint8Array;
  /** Throws RangeError for a number that is not under `end`. */
  ascending(end: number): Uint32Array;
  planes(count: number): Uint32Array;
}

const PLANES = 4;

export function createWriter(): Writer {
  const sink = new Bun.ArrayBufferSink();
  sink.start({ asUint8Array: true });
  const one = new DataView(new ArrayBuffer(8));
  const write = (bytes: Uint8Array): void => void sink.write(bytes.slice());
  const part = (count: number): void => write(new Uint8Array(one.buffer, 0, count));
  const writer: Writer = {
    uint32(value) {
      one.setUint32(0, value, true);
      part(4);
    },
    float32(value) {
      one.setFloat32(0, value, true);
      part(4);
    },
    float64(value) {
      one.setFloat64(0, value, true);
      part(8);
    },
    bytes: write,
    ascending(values) {
      writer.uint32(values.length);
      const bytes: number[] = [];
      let last = 0;
      for (const value of values) {
        let step = value - last;
        last = value;
        for (; step > 127; step = Math.floor(step / 128)) bytes.push((step % 128) | 128);
        bytes.push(step);
      }
      write(Uint8Array.from(bytes));
    },
    planes(values) {
      for (let plane = 0; plane < PLANES; plane++) {
        write(Uint8Array.from(values, (value) => (value >>> (plane * 8)) & 255));
      }
    },
    done: () => sink.end() as Uint8Array<ArrayBuffer>,
  };
  return writer;
}

export function createReader(source: Uint8Array): Reader {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  let at = 0;
  const skip = (count: number): number => {
    const start = at;
    if (count > source.length - at) throw new RangeError("it is cut short");
    at += count;
    return start;
  };
  const reader: Reader = {
    uint32: () => view.getUint32(skip(4), true),
    float32: () => view.getFloat32(skip(4), true),
    float64: () => view.getFloat64(skip(8), true),
    bytes(count) {
      const start = skip(count);
      return source.subarray(start, start + count);
    },
    ascending(end) {
      const count = reader.uint32();
      if (count > source.length) throw new RangeError("it is cut short");
      const values = new Uint32Array(count);
      // Read without `skip`, because they are hundreds of thousands and a server waits for them.
      let from = at;
      let last = 0;
      for (let index = 0; index < count; index++) {
        let unit = 1;
        let byte;
        do {
          // Past the end this is undefined, which ends the number; `skip` throws for it below.
          byte = source[from++] as number;
          last += (byte & 127) * unit;
          unit *= 128;
        } while (byte > 127);
        if (last >= end) throw new RangeError("it points past its end");
        values[index] = last;
      }
      skip(from - at);
      return values;
    },
    planes(count) {
      const values = new Uint32Array(count);
      for (let plane = 0; plane < PLANES; plane++) {
        const bytes = reader.bytes(count);
        for (let index = 0; index < count; index++) {
          values[index] = (values[index] as number) | ((bytes[index] as number) << (plane * 8));
        }
      }
      return values;
    },
  };
  return reader;
}
