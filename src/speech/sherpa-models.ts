import { readFileSync, readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { SherpaSource } from "./engine.ts";
import { isWholeModel } from "./onnx-file.ts";
import { WHISPER_LANGUAGES, codeOfLanguage } from "./whisper-languages.ts";

/** What a model folder holds. */
export interface SherpaModel extends Omit<SherpaSource, "engine"> {
  /** Sherpa's name for it, as it is a key of its configuration. */
  kind: string;
  /** ISO 639 codes as far as the names tell; null when they do not. */
  languages: string[] | null;
}

/** A folder is no model of sherpa's, or not a whole one. The message names what is missing. */
export class SherpaModelBroken extends Error {
  override name = "SherpaModelBroken";
}

interface Folder {
  path: string;
  /** Its own name, in lower case: releases say there what they are. */
  name: string;
  files: readonly string[];
}

/** What the parts of a model are called in the releases of sherpa-onnx. */
const ENCODER = /(^|[-_.])encoder?([-_.]|$)/;
const DECODER = /(^|[-_.])decoder?([-_.]|$)/;
const JOINER = /(^|[-_.])joiner([-_.]|$)/;
const SINGLE = /^(model|ctc)([-_.]|$)/;
const TOKENS = /(^|-)tokens\.txt$/;

/** How the only file of a model is to be read: the first pattern that its names fit. */
const STREAMING_SINGLES: readonly (readonly [RegExp, string])[] = [
  [/nemo|conformer/, "nemoCtc"],
  [/t-one|tone/, "toneCtc"],
  [/./, "zipformer2Ctc"],
];
const ONE_SHOT_SINGLES: readonly (readonly [RegExp, string])[] = [
  [/sense-?voice/, "senseVoice"],
  [/paraformer/, "paraformer"],
  [/telespeech/, "teleSpeechCtc"],
  [/fire-?red/, "fireRedAsrCtc"],
  [/dolphin/, "dolphin"],
  [/omnilingual/, "omnilingual"],
  [/medasr/, "medasr"],
  [/wenet/, "wenetCtc"],
  [/tdnn|yesno/, "tdnn"],
  [/nemo|parakeet|giga-am/, "nemoCtc"],
  [/zipformer|ctc/, "zipformerCtc"],
];

/** Models whose names do not tell their languages. */
const LANGUAGES: readonly (readonly [RegExp, string])[] = [
  // It knows some forty; these are those that its own examples show.
  [/nemotron-3\.5/, "en hi de es fr ja"],
  [/whisper.*(\.en|-en)([-_.]|$)|distil-(small|medium|large)/, "en"],
  [/whisper/, WHISPER_LANGUAGES.join(" ")],
  [/parakeet.*-v2/, "en"],
  [/parakeet.*-v3/, "en bg hr cs da nl et fi fr de el hu it lv lt mt pl pt ro ru sk sl es sv uk"],
  [/sense-?voice/, "zh en ja ko yue"],
];

/** Old streaming models do not say that they are. */
const STREAMING = /(?<!non-?)streaming|chunk-\d|-lstm-|conv-emformer/;

/**
 * Finds out from the names in a folder for which of sherpa's recognisers its model is. A folder with
 * both kinds is taken as streaming. Models of eight bits are preferred: they are two to three times
 * as fast on a processor and a quarter of the size; only a transducer's tiny decoder is not, since
 * there eight bits gain nothing. Throws `SherpaModelBroken`.
 *
 * Threads: always one. Streams share a worker and workers share the cores, so that more threads
 * would only fight; for small models two are slower even alone.
 */
export function describeSherpaModel(folder: string): SherpaModel {
  const path = resolve(folder);
  const files = readdirSync(path).sort();
  const it: Folder = { path, name: basename(path).toLowerCase(), files };
  const model = single(it) ?? several(it);
  const tokens = pick(it, TOKENS, "tokens.txt");
  refuseBroken(model, tokens);
  return {
    ...model,
    modelConfig: { ...model.modelConfig, tokens, numThreads: 1, provider: "cpu" },
    // Most models bring their own and overrule this.
    featureConfig: { sampleRate: 16_000, featureDim: it.name.includes("nemotron-3.5") ? 128 : 80 },
    languages: languagesOf(it),
  };
}

/** Sherpa ends the whole process over a file that is empty or was cut short. */
function refuseBroken({ kind, modelConfig }: Found, tokens: string): void {
  const parts = Object.values({ ...(modelConfig[kind] as object) });
  for (const part of typeof modelConfig[kind] === "string" ? [modelConfig[kind]] : parts) {
    if (typeof part !== "string" || !isModel(part) || isWholeModel(part)) continue;
    throw new SherpaModelBroken(`${part} is not a whole model`);
  }
  const isCtc = kind.endsWith("Ctc");
  const text = readFileSync(tokens, "utf8");
  if (text.trim() === "" || (isCtc && !/^<(blk|eps|blank|pad)>/m.test(text))) {
    throw new SherpaModelBroken(`${tokens} is not a whole list of tokens`);
  }
}

type Found = Pick<SherpaModel, "isStreaming" | "takesLanguage" | "modelConfig" | "kind">;

/** A model in one file; null when there is none. */
function single(folder: Folder): Found | null {
  const models = folder.files.filter((file) => isModel(file) && SINGLE.test(file));
  const streaming = models.filter((file) => isStreaming(file, folder.name));
  const isOnline = streaming.length > 0;
  const file = best(isOnline ? streaming : models);
  if (file === undefined) return null;
  const kinds = isOnline ? STREAMING_SINGLES : ONE_SHOT_SINGLES;
  // A file's own name says more than its folder's.
  const kind = kindOf(file, kinds.slice(0, -1)) ?? kindOf(`${folder.name} ${file}`, kinds);
  if (kind === undefined) {
    throw new SherpaModelBroken(`${folder.path} does not tell what kind of model ${file} is`);
  }
  const model = join(folder.path, file);
  const modelConfig = { [kind]: kind === "teleSpeechCtc" ? model : { model } };
  return { kind, isStreaming: isOnline, takesLanguage: false, modelConfig };
}

/** A model in an encoder, a decoder and what else it needs. */
function several(folder: Folder): Found {
  if (!folder.files.some(isModel)) throw new SherpaModelBroken(`${folder.path} has no .onnx file`);
  const encoder = pick(folder, ENCODER, "encoder");
  const isOnline = isStreaming(basename(encoder), folder.name);
  const one = (kind: string, config: object, takesLanguage = false): Found => ({
    kind,
    isStreaming: isOnline && (kind === "transducer" || kind === "paraformer"),
    takesLanguage,
    modelConfig: { [kind]: config },
  });
  const has = (pattern: RegExp) => folder.files.some((file) => isModel(file) && pattern.test(file));

  if (folder.name.includes("moonshine") || has(/^preprocess|decoder_model_merged|cached_decode/)) {
    return one("moonshine", moonshine(folder, encoder));
  }
  if (has(JOINER) || /zipformer|transducer|nemotron|-tdt/.test(folder.name)) {
    const [decoder, joiner] = [
      like(folder, DECODER, encoder, "decoder"),
      joinerOf(folder, encoder),
    ];
    const found = one(
      "transducer",
      { encoder, decoder, joiner },
      folder.name.includes("nemotron-3.5"),
    );
    const isNemo = /nemo|parakeet|giga-am/.test(folder.name);
    // Streaming models tell their type themselves.
    const modelType = isNemo ? "nemo_transducer" : "transducer";
    return isOnline ? found : { ...found, modelConfig: { ...found.modelConfig, modelType } };
  }
  const decoder = like(folder, DECODER, encoder, "decoder", true);
  if (/paraformer/.test(folder.name)) return one("paraformer", { encoder, decoder });
  if (/canary/.test(folder.name)) return one("canary", { encoder, decoder });
  if (/fire-?red/.test(folder.name)) return one("fireRedAsr", { encoder, decoder });
  const isWhisper = folder.name.includes("whisper") || has(/^[\w.-]+-encoder[.-]/);
  if (!isWhisper) throw new SherpaModelBroken(`${folder.path} has no joiner (joiner*.onnx)`);
  const isEnglish = languagesOf(folder)?.length === 1;
  return one("whisper", { encoder, decoder, task: "transcribe" }, !isEnglish);
}

function moonshine(folder: Folder, encoder: string): object {
  const merged = folder.files.find(
    (file) => isModel(file) && file.includes("decoder_model_merged"),
  );
  if (merged !== undefined) return { encoder, mergedDecoder: join(folder.path, merged) };
  return {
    encoder,
    preprocessor: pick(folder, /^preprocess/, "preprocess"),
    uncachedDecoder: pick(folder, /^uncached_decode/, "uncached_decode"),
    cachedDecoder: pick(folder, /^cached_decode/, "cached_decode"),
  };
}

function joinerOf(folder: Folder, encoder: string): string {
  return like(folder, JOINER, encoder, "joiner", true);
}

/** The file for a part that was trained with this encoder: its name is the same but for the part. */
function like(
  folder: Folder,
  pattern: RegExp,
  encoder: string,
  part: string,
  isEightBits = false,
): string {
  const stem = stemOf(basename(encoder)).replace("encoder", part);
  const files = folder.files.filter((file) => isModel(file) && pattern.test(file));
  const kin = files.filter((file) => stemOf(file) === stem);
  const file = best(kin.length > 0 ? kin : files, isEightBits);
  if (file === undefined) throw missing(folder, `${part}*.onnx`);
  return join(folder.path, file);
}

function pick(folder: Folder, pattern: RegExp, name: string): string {
  const isText = name.endsWith(".txt");
  const files = folder.files.filter((file) => (isText || isModel(file)) && pattern.test(file));
  const file = isText ? (files.find((one) => one === name) ?? files[0]) : best(files);
  if (file === undefined) throw missing(folder, isText ? name : `${name}*.onnx`);
  return join(folder.path, file);
}

/** The fastest of several files that hold the same. */
function best(files: readonly string[], isEightBits = true): string | undefined {
  const rank = (file: string): number => {
    if (/int8|quantized/.test(file)) return isEightBits ? 0 : 1;
    return /fp16/.test(file) ? 2 : Number(isEightBits);
  };
  return [...files].sort((one, other) => rank(one) - rank(other))[0];
}

function missing(folder: Folder, name: string): SherpaModelBroken {
  return new SherpaModelBroken(`the model in ${folder.path} lacks ${name}`);
}

function stemOf(file: string): string {
  return file.replace(/\.(onnx|ort)$/, "").replace(/\.(int8|fp16)$/, "");
}

function isModel(file: string): boolean {
  return /\.(onnx|ort)$/.test(file);
}

function isStreaming(file: string, folderName: string): boolean {
  if (/offline|non-?streaming/.test(file)) return false;
  return STREAMING.test(file) || STREAMING.test(folderName);
}

function kindOf(name: string, kinds: readonly (readonly [RegExp, string])[]): string | undefined {
  return kinds.find(([pattern]) => pattern.test(name))?.[1];
}

/** From the table, else from the codes and names of languages in the folder's name. */
function languagesOf({ name, files }: Folder): string[] | null {
  const isWhisper = name.includes("whisper") || files.some((file) => file.endsWith("-tokens.txt"));
  const known = kindOf(isWhisper ? `whisper ${name} ${files.join(" ")}` : name, LANGUAGES);
  if (known !== undefined) return known.split(" ");
  // "giga-am" is no Amharic.
  const words = name.replace("giga-am", "").split(/[-_.]/);
  const codes = words.flatMap((word) => (isLanguage(word) ? [codeOfLanguage(word) ?? ""] : []));
  return codes.length === 0 ? null : [...new Set(codes)];
}

function isLanguage(word: string): boolean {
  return /^[a-z]{2,12}$/.test(word) && codeOfLanguage(word) !== undefined;
}
