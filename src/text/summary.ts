import { type Tokenizer, createTokenizer } from "./entities/tokenizer.ts";
import { formOf, placedWords } from "./search-text.ts";

/** A sentence, and the number of the line that it stands in. */
export interface LineSentence {
  text: string;
  line: number;
}

/** What is to be found of a text's lines: so many sentences, or as many as fit. */
export type SummaryJob = { lines: readonly string[] } & (
  | { sentences: number }
  | { charactersMax: number }
);

/** Finds what says most of a text, in English, Hindi and mixtures of both. */
export interface Summariser {
  /** The sentences of lines, in order; none goes on over the end of its line. */
  split(lines: readonly string[]): LineSentence[];
  /**
   * At most `count` sentences that together say most, in their order. What they share with all
   * others counts (the centroid of Radev et al., "Centroid-based summarization of multiple
   * documents", 2004, which is the degree in the graph of LexRank, Erkan and Radev, 2004), less what
   * the chosen ones said already (in the manner of maximal marginal relevance, Carbonell and
   * Goldstein, 1998). Equals are taken from the beginning. Time is linear in the text's length for
   * each one chosen; it lets others have their turn meanwhile.
   */
  choose<S extends LineSentence>(sentences: readonly S[], count: number): Promise<S[]>;
  /** The most telling sentences that fit into `charactersMax`, in their order. */
  condense<S extends LineSentence>(sentences: readonly S[], charactersMax: number): Promise<S[]>;
  /** Splits, then chooses or condenses. */
  work(job: SummaryJob): Promise<LineSentence[]>;
}

/** A longer sentence goes on as the next one: captions have no full stops. */
const SENTENCE_WORDS_MAX = 60;
/** Shorter sentences ("Yes, the budget.") are chosen only where there are no others. */
const TELLING_WORDS_MIN = 3;
/** So many sentences are worked before others have their turn; they take about 2 ms. */
const SENTENCES_A_TURN = 200;

/** Words that say nothing of what a text is about. */
const STOP_WORDS =
  "a about above after again all also am an and any are as at be because been before being below " +
  "between both but by can cannot could did do does doing down during each few for from further " +
  "get go going gonna got had has have having he her here hers him his how i if in into is it its " +
  "just know let like me mean more most my no nor not now of off okay ok on once one only or other " +
  "our out over own really right said same say says she should so some such than that the their " +
  "them then there these they thing things think this those through to too under until up very " +
  "want was we well were what when where which while who whom why will with would yeah yes you your " +
  "i'm i've i'll it's that's there's they're we're we've we'll you're don't didn't doesn't isn't " +
  "wasn't can't won't let's " +
  "और का के की को है हैं था थी थे हूँ हो ने से में मैं मे पर यह ये वह वो वे इस उस इन उन इसे उसे इसके उसके " +
  "उनके इनके जो जिस जिसे कि क्या क्यों कैसे कब कहाँ कौन भी ही तो तक न नहीं ना हाँ जी एक कुछ कोई सब सभी अब तब " +
  "जब फिर बहुत लिए लिये साथ बाद पहले द्वारा कर करना करने करते करता करती किया की कर रहा रही रहे गया गयी गई गए " +
  "गये जा जाता जाती जाते हुआ हुई हुए होता होती होते होना होगा होगी होंगे सकता सकती सकते चाहिए वाला वाले वाली " +
  "अपना अपनी अपने मेरा मेरी मेरे मुझे हम हमें हमारा हमारे हमारी तुम आप आपका आपके आपकी यहाँ वहाँ ऐसा ऐसे या एवं तथा " +
  "लेकिन मगर अगर यदि";

/** The words of one sentence: their numbers and weights, the latter with the length 1. */
interface Weighted {
  words: number[];
  weights: number[];
}

export function createSummariser(): Summariser {
  // Both take milliseconds to make, and many servers never need them.
  let tokenizer: Tokenizer | null = null;
  let stopWords: ReadonlySet<string> | null = null;

  const weigh = async (
    sentences: readonly LineSentence[],
  ): Promise<{ all: Weighted[]; vocabulary: number }> => {
    const ignored = (stopWords ??= new Set(STOP_WORDS.split(" ").map(formOf)));
    const numbers = new Map<string, number>();
    const found: number[] = [];
    const counted: Map<number, number>[] = [];
    for (const { text } of sentences) {
      if (counted.length % SENTENCES_A_TURN === SENTENCES_A_TURN - 1) await nextTurn();
      const counts = new Map<number, number>();
      counted.push(counts);
      for (const { form } of placedWords(text)) {
        if (ignored.has(form)) continue;
        const number = numbers.get(form) ?? numbers.size;
        numbers.set(form, number);
        counts.set(number, (counts.get(number) ?? 0) + 1);
      }
      for (const number of counts.keys()) found[number] = (found[number] ?? 0) + 1;
    }
    await nextTurn();
    const all = counted.map((counts): Weighted => {
      const words = [...counts.keys()];
      const weights = words.map(
        (word) => (counts.get(word) ?? 0) * Math.log(1 + sentences.length / (found[word] ?? 1)),
      );
      const length = Math.hypot(...weights) || 1;
      return { words, weights: weights.map((weight) => weight / length) };
    });
    return { all, vocabulary: numbers.size };
  };

  const summariser: Summariser = {
    split: (lines) => {
      const tokenize = (tokenizer ??= createTokenizer());
      return lines.flatMap((text, line) => {
        const sentences: LineSentence[] = [];
        tokenize(text, ({ tokens, starts }) => {
          const start = starts[0] ?? 0;
          const end = (starts.at(-1) ?? 0) + (tokens.at(-1)?.length ?? 0);
          for (const one of cutLong(text.slice(start, end))) sentences.push({ text: one, line });
        });
        return sentences;
      });
    },
    choose: async (sentences, count) => {
      const { all, vocabulary } = await weigh(sentences);
      const relevance = centralities(all, vocabulary);
      const said = new Float64Array(all.length);
      const chosen = new Set<number>();
      const hasTelling = all.some(({ words }) => words.length >= TELLING_WORDS_MIN);
      while (chosen.size < Math.min(count, all.length)) {
        let best = -1;
        let bestScore = -Infinity;
        for (const [at, { words }] of all.entries()) {
          if (chosen.has(at) || (hasTelling && words.length < TELLING_WORDS_MIN)) continue;
          const score = (relevance[at] ?? 0) * (1 - (said[at] ?? 0));
          if (score <= bestScore) continue;
          best = at;
          bestScore = score;
        }
        const next = all[best];
        if (next === undefined) break;
        chosen.add(best);
        await nextTurn();
        const likeness = products(all, addedUp([next], vocabulary));
        for (const [at, like] of likeness.entries()) said[at] = Math.max(said[at] ?? 0, like);
      }
      return sentences.filter((_, at) => chosen.has(at));
    },
    condense: async (sentences, charactersMax) => {
      const characters = sentences.reduce((sum, { text }) => sum + text.length, 0);
      if (characters <= charactersMax) return [...sentences];
      const { all, vocabulary } = await weigh(sentences);
      const relevance = centralities(all, vocabulary);
      const byRelevance = [...sentences.keys()].sort(
        (one, other) => (relevance[other] ?? 0) - (relevance[one] ?? 0) || one - other,
      );
      const chosen = new Set<number>();
      let left = charactersMax;
      for (const at of byRelevance) {
        const { length } = sentences[at]?.text ?? "";
        if (length > left) continue;
        left -= length;
        chosen.add(at);
      }
      return sentences.filter((_, at) => chosen.has(at));
    },
    work: (job) => {
      const sentences = summariser.split(job.lines);
      return "sentences" in job
        ? summariser.choose(sentences, job.sentences)
        : summariser.condense(sentences, job.charactersMax);
    },
  };
  return summariser;
}

/** How much each sentence has in common with all of them together. */
function centralities(all: readonly Weighted[], vocabulary: number): Float64Array {
  return products(all, addedUp(all, vocabulary));
}

function addedUp(some: readonly Weighted[], vocabulary: number): Float64Array {
  const sum = new Float64Array(vocabulary);
  for (const { words, weights } of some) {
    for (let at = 0; at < words.length; at++) {
      const word = words[at] ?? 0;
      sum[word] = (sum[word] ?? 0) + (weights[at] ?? 0);
    }
  }
  return sum;
}

function products(all: readonly Weighted[], direction: Float64Array): Float64Array {
  return Float64Array.from(all, ({ words, weights }) => {
    let product = 0;
    for (let at = 0; at < words.length; at++) {
      product += (weights[at] ?? 0) * (direction[words[at] ?? 0] ?? 0);
    }
    return product;
  });
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Pieces of about the same number of words. */
function cutLong(sentence: string): string[] {
  // Only what is long enough to be too long is counted.
  if (sentence.length <= 2 * SENTENCE_WORDS_MAX) return [sentence];
  const words = sentence.split(/\s+/u);
  if (words.length <= SENTENCE_WORDS_MAX) return [sentence];
  const size = Math.ceil(words.length / Math.ceil(words.length / SENTENCE_WORDS_MAX));
  const pieces: string[] = [];
  for (let at = 0; at < words.length; at += size) pieces.push(words.slice(at, at + size).join(" "));
  return pieces;
}
