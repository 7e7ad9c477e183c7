/** A model that can be pulled. */
export interface CatalogueEntry {
  /** Also the name of its folder. */
  name: string;
  engine: "sherpa" | "vosk";
  /** BCP 47 tags, of the languages that Earshot speaks; `about` says when there are more. */
  languages: readonly string[];
  /** Whether it tells words while they are spoken. */
  streaming: boolean;
  /** Of the archive; null when no exact size is published. */
  bytes: number | null;
  /** An SPDX identifier. */
  licence: string;
  /** Of the archive, a `.tar.bz2` or `.zip`. */
  address: string;
  /** Of the archive; null when none is published, then the first pull records it. */
  sha256: string | null;
  about: string;
}

const SHERPA = "https://github.com/k2-fsa/sherpa-onnx/releases/download/asr-models";
const VOSK = "https://alphacephei.com/vosk/models";

/**
 * The models worth having for English and Hindi, the best of each kind first. What stands here was
 * looked up, not guessed; the line above each entry says where. The publishers of sherpa's models
 * replace files under the same address now and then: then a checksum here has to follow.
 */
export const CATALOGUE: readonly CatalogueEntry[] = [
  // Model card nvidia/nemotron-3.5-asr-streaming-0.6b (languages, licence OpenMDW-1.1); size and
  // checksum as pinned alike by several projects that use the archive of July 2026.
  {
    name: "sherpa-onnx-nemotron-3.5-asr-streaming-0.6b-560ms-int8-2026-06-11",
    engine: "sherpa",
    languages: ["en", "hi"],
    streaming: true,
    bytes: 475_271_763,
    licence: "OpenMDW-1.1",
    address: `${SHERPA}/sherpa-onnx-nemotron-3.5-asr-streaming-0.6b-560ms-int8-2026-06-11.tar.bz2`,
    sha256: "c6bf5e0df765f9d5b43bc9e0536d4b4b3e7d40bdf5ecf13e45f134c51c05ae3a",
    about: "the best for English and Hindi; 40 languages in all, with punctuation",
  },
  // Model card csukuangfj/sherpa-onnx-streaming-zipformer-en-2023-06-26 (Apache-2.0); size and
  // checksum: the release asset's, as pinned alike by several projects.
  {
    name: "sherpa-onnx-streaming-zipformer-en-2023-06-26",
    engine: "sherpa",
    languages: ["en"],
    streaming: true,
    bytes: 310_414_022,
    licence: "Apache-2.0",
    address: `${SHERPA}/sherpa-onnx-streaming-zipformer-en-2023-06-26.tar.bz2`,
    sha256: "639e25b578e9e997131402199419c13a941f8e4e198e2da1ce57dbf5cf401282",
    about: "English, light on the processor",
  },
  // The same sources for csukuangfj/sherpa-onnx-streaming-zipformer-en-20M-2023-02-17.
  {
    name: "sherpa-onnx-streaming-zipformer-en-20M-2023-02-17",
    engine: "sherpa",
    languages: ["en"],
    streaming: true,
    bytes: 127_887_156,
    licence: "Apache-2.0",
    address: `${SHERPA}/sherpa-onnx-streaming-zipformer-en-20M-2023-02-17.tar.bz2`,
    sha256: "9c559283e8498d3fe95913c79ca1cb454bb26281ac2b102b41306c7d752765d9",
    about: "English, the lightest",
  },
  // Model card nvidia/parakeet-tdt-0.6b-v2 (CC-BY-4.0); size and checksum: the release asset's, as
  // pinned alike by several projects.
  {
    name: "sherpa-onnx-nemo-parakeet-tdt-0.6b-v2-int8",
    engine: "sherpa",
    languages: ["en"],
    streaming: false,
    bytes: 482_468_385,
    licence: "CC-BY-4.0",
    address: `${SHERPA}/sherpa-onnx-nemo-parakeet-tdt-0.6b-v2-int8.tar.bz2`,
    sha256: "157c157bc51155e03e37d2466522a3a737dd9c72bb25f36eb18912964161e1ad",
    about: "the most accurate English, utterance by utterance, with punctuation",
  },
  // Model card nvidia/parakeet-tdt-0.6b-v3 (CC-BY-4.0); size: the release asset's; checksum:
  // zugaldia/speedofsound, SherpaParakeetAsrModels.kt, and others.
  {
    name: "sherpa-onnx-nemo-parakeet-tdt-0.6b-v3-int8",
    engine: "sherpa",
    languages: ["en"],
    streaming: false,
    bytes: 487_170_055,
    licence: "CC-BY-4.0",
    address: `${SHERPA}/sherpa-onnx-nemo-parakeet-tdt-0.6b-v3-int8.tar.bz2`,
    sha256: "5793d0fd397c5778d2cf2126994d58e9d56b1be7c04d13c7a15bb1b4eafb16bf",
    about: "English and 24 more European languages, utterance by utterance",
  },
  // openai/whisper (MIT); sizes: the release assets'; checksums: zugaldia/speedofsound,
  // SherpaWhisperAsrModels.kt, and others.
  {
    name: "sherpa-onnx-whisper-small",
    engine: "sherpa",
    languages: ["en", "hi"],
    streaming: false,
    bytes: 639_387_718,
    licence: "MIT",
    address: `${SHERPA}/sherpa-onnx-whisper-small.tar.bz2`,
    sha256: "486a46afbb7ba798507190ffe02fea2dd726049af212e774537efac6afb210a6",
    about: "some 99 languages, utterance by utterance; slow",
  },
  {
    name: "sherpa-onnx-whisper-base",
    engine: "sherpa",
    languages: ["en", "hi"],
    streaming: false,
    bytes: 207_557_382,
    licence: "MIT",
    address: `${SHERPA}/sherpa-onnx-whisper-base.tar.bz2`,
    sha256: "911b2083efd7c0dca2ac3b358b75222660dc09fb716d64fbfc417ba6c99ff3de",
    about: "some 99 languages, utterance by utterance; faster, less accurate",
  },
  {
    name: "sherpa-onnx-whisper-base.en",
    engine: "sherpa",
    languages: ["en"],
    streaming: false,
    bytes: 208_576_005,
    licence: "MIT",
    address: `${SHERPA}/sherpa-onnx-whisper-base.en.tar.bz2`,
    sha256: "475bc7052ce299c007f6d5d5407ba8601f819a2867f6eecee510ed17df581542",
    about: "English, utterance by utterance",
  },
  // alphacephei.com/vosk/models (languages, licences, rough sizes); exact size: the site's
  // model-list.json; checksum: pinned alike by several projects.
  {
    name: "vosk-model-small-hi-0.22",
    engine: "vosk",
    languages: ["hi"],
    streaming: true,
    bytes: 44_458_845,
    licence: "Apache-2.0",
    address: `${VOSK}/vosk-model-small-hi-0.22.zip`,
    sha256: "7c50a10866889f0ac21d912c20537a055a597ed09fc1d3e5bcd798f9f0017e48",
    about: "Hindi, small and fast",
  },
  // alphacephei.com/vosk/models says 1.5G; no exact size or checksum found.
  {
    name: "vosk-model-hi-0.22",
    engine: "vosk",
    languages: ["hi"],
    streaming: true,
    bytes: null,
    licence: "Apache-2.0",
    address: `${VOSK}/vosk-model-hi-0.22.zip`,
    sha256: null,
    about: "Hindi, accurate and large (about 1.5 GB)",
  },
  // alphacephei.com/vosk/models says 1.8G; no exact size or checksum found.
  {
    name: "vosk-model-en-us-0.22",
    engine: "vosk",
    languages: ["en"],
    streaming: true,
    bytes: null,
    licence: "Apache-2.0",
    address: `${VOSK}/vosk-model-en-us-0.22.zip`,
    sha256: null,
    about: "US English, accurate and large (about 1.8 GB)",
  },
  // alphacephei.com/vosk/models; checksum: Arch Linux' user package of the same model, and others,
  // which also give the size.
  {
    name: "vosk-model-en-us-0.22-lgraph",
    engine: "vosk",
    languages: ["en"],
    streaming: true,
    bytes: 130_557_655,
    licence: "Apache-2.0",
    address: `${VOSK}/vosk-model-en-us-0.22-lgraph.zip`,
    sha256: "d9838b4aaa82a75c4a17f5aca300eaca129aaab2a7cbf951bafbb500eb9c4334",
    about: "US English, between the small and the large one",
  },
  // The same sources.
  {
    name: "vosk-model-small-en-us-0.15",
    engine: "vosk",
    languages: ["en"],
    streaming: true,
    bytes: 41_205_931,
    licence: "Apache-2.0",
    address: `${VOSK}/vosk-model-small-en-us-0.15.zip`,
    sha256: "30f26242c4eb449f948e42cb302dd7a686cb29a3423a8367f99ff41780942498",
    about: "US English, small; what comes with Earshot is like it",
  },
];

/**
 * The models of the catalogue that hear `language` (a BCP 47 tag; `hi-IN` counts as `hi`), those
 * that tell words while they are spoken first, else in the catalogue's order.
 */
export function suggestFor(language: string): CatalogueEntry[] {
  const [primary = ""] = language.toLowerCase().split("-");
  const fitting = CATALOGUE.filter(({ languages }) => languages.includes(primary));
  return [
    ...fitting.filter(({ streaming }) => streaming),
    ...fitting.filter(({ streaming }) => !streaming),
  ];
}
