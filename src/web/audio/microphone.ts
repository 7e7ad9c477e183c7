/** A microphone that is open. */
export interface Microphone {
  /** Samples a second. */
  sampleRate: number;
  /** Stops it; resolves when the last piece was given out. */
  close(): Promise<void>;
}

export interface MicrophoneOptions {
  /** Where the audio thread's script is. */
  workletUrl: string;
  /** About 50 ms of one channel. */
  onSound(sound: Int16Array): void;
  /** The system took it away, as when a headset is unplugged. */
  onEnded(): void;
}

/** What recognisers want; browsers may not offer it, and then give another. */
const SAMPLE_RATE = 16_000;
/** Browsers' own clean-up is made for ears: it changes the words that are recognised. */
const CONSTRAINTS = {
  channelCount: 1,
  echoCancellation: false,
  noiseSuppression: false,
  autoGainControl: false,
};

/** Asks for the microphone and opens it. Throws an error that can be shown. */
export async function openMicrophone(options: MicrophoneOptions): Promise<Microphone> {
  const { workletUrl, onSound, onEnded } = options;
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices === undefined) {
    throw new Error("Browsers lend the microphone only to pages from https or from this machine");
  }
  const stream = await devices.getUserMedia({ audio: CONSTRAINTS }).catch((error: unknown) => {
    throw new Error(reasons[(error as DOMException).name] ?? "The microphone cannot be opened");
  });
  const { context, source } = connect(stream);
  try {
    await context.audioWorklet.addModule(workletUrl);
    const node = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 0 });
    const flushed = Promise.withResolvers<void>();
    node.port.addEventListener("message", ({ data }: MessageEvent<Int16Array | null>) => {
      if (data === null) flushed.resolve();
      else if (data.length > 0) onSound(data);
    });
    node.port.start();
    source.connect(node);
    // Pages that were not touched yet begin asleep.
    await context.resume();
    for (const track of stream.getTracks()) track.addEventListener("ended", onEnded);
    return {
      sampleRate: context.sampleRate,
      close: async () => {
        node.port.postMessage("end");
        await flushed.promise;
        stopAll(stream);
        await context.close();
      },
    };
  } catch (error) {
    stopAll(stream);
    await context.close();
    throw error;
  }
}

const reasons: Readonly<Record<string, string>> = {
  NotAllowedError: "The browser was told not to lend the microphone to this page",
  NotFoundError: "There is no microphone",
  NotReadableError: "Another program has the microphone",
};

/** Some browsers cannot change the rate of a microphone; theirs is taken as it is. */
function connect(stream: MediaStream): {
  context: AudioContext;
  source: MediaStreamAudioSourceNode;
} {
  const context = new AudioContext({ sampleRate: SAMPLE_RATE });
  try {
    return { context, source: context.createMediaStreamSource(stream) };
  } catch {
    void context.close();
    const own = new AudioContext();
    return { context: own, source: own.createMediaStreamSource(stream) };
  }
}

function stopAll(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

/** How loud a piece is, from 0 (-60 dB and less) to 1 (as loud as samples go). */
export function levelOf(sound: Int16Array): number {
  let sum = 0;
  for (const sample of sound) sum += (sample / 32_768) ** 2;
  const decibels = 10 * Math.log10(sum / Math.max(1, sound.length) + 1e-10);
  return Math.max(0, Math.min(1, 1 + decibels / 60));
}
