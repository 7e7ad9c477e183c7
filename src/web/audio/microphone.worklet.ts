// Runs in the browser's audio thread: turns what the microphone gives into pieces of 16-bit samples.

declare const sampleRate: number;
declare function registerProcessor(name: string, processor: new () => object): void;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}

const PIECE_S = 0.05;
const SAMPLE_MAX = 32_767;

class MicrophoneProcessor extends AudioWorkletProcessor {
  private piece = new Int16Array(Math.round(sampleRate * PIECE_S));
  private filled = 0;
  private isOver = false;

  constructor() {
    super();
    // The last words end in the middle of a piece.
    this.port.onmessage = () => {
      this.isOver = true;
      this.port.postMessage(this.piece.slice(0, this.filled));
      this.port.postMessage(null);
    };
  }

  process([channels]: Float32Array[][]): boolean {
    for (const sample of channels?.[0] ?? []) {
      this.piece[this.filled++] = Math.max(-1, Math.min(1, sample)) * SAMPLE_MAX;
      if (this.filled < this.piece.length) continue;
      this.port.postMessage(this.piece);
      this.filled = 0;
    }
    return !this.isOver;
  }
}

registerProcessor("microphone", MicrophoneProcessor);
