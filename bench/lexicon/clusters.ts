import { createRandom } from "../../src/text/entities/random.ts";
import { type SparseRow, multiply, multiplyBack, orthogonalise, unitRows } from "./vectors.ts";

export interface ClusterOptions {
  /** Rarer words get no cluster. */
  countMin: number;
  coarse: number;
  /** Into how many every coarse cluster is cut. */
  fine: number;
}

export interface WordClusters {
  /** From 0; the coarse cluster is the number divided by `fine`. */
  clusters: Map<string, number>;
  /** How often texts write the word with a capital inside a sentence: 1 never … 4 always. */
  capitals: Map<string, number>;
}

const DIMENSIONS = 80;
/** Only so many of the most frequent words count as neighbours. */
const NEIGHBOURS = 3_000;
/** The most frequent of them say nothing from further away. */
const DULL_WORDS = 100;
const FAR_STEPS = [-4, -3, -2, 2, 3, 4];
const FAR_WEIGHT = 0.5;
const COLUMNS = NEIGHBOURS * 3 + 3;
const POWER_STEPS = 3;
const MEANS_STEPS = 25;

/**
 * Groups words by the company they keep: positive pointwise mutual information with the neighbours
 * on the left, on the right and around (Levy and Goldberg, "Neural word embedding as implicit
 * matrix factorization", 2014), its largest singular vectors by subspace iteration (Halko et al.,
 * 2011), then spherical k-means, twice. The same sentences give the same clusters.
 */
export function clusterWords(sentences: string[][], options: ClusterOptions): WordClusters {
  const random = createRandom(1);
  const folded = sentences.map((sentence) => sentence.map(foldToken));
  const counts = new Map<string, number>();
  for (const word of folded.flat()) counts.set(word, (counts.get(word) ?? 0) + 1);
  const words = [...counts].filter(([, count]) => count >= options.countMin);
  words.sort(([one, many], [other, more]) => more - many || (one < other ? -1 : 1));
  const ids = new Map(words.map(([word], id) => [word, id]));
  const rows = weighNeighbours(folded, ids);
  const vectors = findVectors(rows, random);
  const clusters = new Map<string, number>();
  const all = [...rows.keys()];
  const coarse = findMeans(vectors, all, options.coarse, random);
  for (let group = 0; group < options.coarse; group++) {
    const members = all.filter((id) => coarse[id] === group);
    if (members.length === 0) continue;
    const fine = findMeans(vectors, members, options.fine, random);
    for (const [at, id] of members.entries()) {
      clusters.set(words[id]?.[0] ?? "", group * options.fine + (fine[at] ?? 0));
    }
  }
  return { clusters, capitals: countCapitals(sentences, folded) };
}

/** A token in small letters, without marks around it, digits as zeros: as the tagger looks it up. */
export function foldToken(token: string): string {
  const bare = token.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{M}\p{N}]+$/gu, "");
  return (bare === "" ? token : bare).toLowerCase().replace(/\p{Nd}/gu, "0");
}

function weighNeighbours(sentences: string[][], ids: ReadonlyMap<string, number>): SparseRow[] {
  const counts: Map<number, number>[] = Array.from({ length: ids.size }, () => new Map());
  const columnOf = (word: string | undefined): number => {
    if (word === undefined) return NEIGHBOURS;
    const id = ids.get(word) ?? NEIGHBOURS;
    return id < NEIGHBOURS ? id : -1;
  };
  for (const sentence of sentences) {
    for (const [at, word] of sentence.entries()) {
      const row = counts[ids.get(word) ?? -1];
      if (row === undefined) continue;
      const add = (column: number, weight: number): void => {
        row.set(column, (row.get(column) ?? 0) + weight);
      };
      const left = columnOf(sentence[at - 1]);
      const right = columnOf(sentence[at + 1]);
      if (left >= 0) add(left, 1);
      if (right >= 0) add(NEIGHBOURS + 1 + right, 1);
      for (const step of FAR_STEPS) {
        const far = sentence[at + step] === undefined ? -1 : columnOf(sentence[at + step]);
        if (far >= DULL_WORDS) add(2 * NEIGHBOURS + 2 + far, FAR_WEIGHT);
      }
    }
  }
  const columnSums = new Float64Array(COLUMNS);
  for (const row of counts) for (const [column, count] of row) columnSums[column]! += count;
  // Rare neighbours would else weigh too much.
  const shares = columnSums.map((sum) => sum ** 0.75);
  const all = shares.reduce((sum, share) => sum + share, 0);
  return counts.map((row) => {
    const sum = [...row.values()].reduce((total, count) => total + count, 0);
    const kept = [...row].flatMap(([column, count]): [number, number][] => {
      const information = Math.log(count / sum / ((shares[column] ?? 1) / all));
      const weight = column >= 2 * NEIGHBOURS + 2 ? FAR_WEIGHT : 1;
      return information > 0 ? [[column, information * weight]] : [];
    });
    return {
      columns: Int32Array.from(kept, ([column]) => column),
      values: Float32Array.from(kept, ([, value]) => value),
    };
  });
}

function findVectors(rows: readonly SparseRow[], random: () => number): Float32Array {
  const gauss = (): number =>
    Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random());
  let back = Float32Array.from({ length: COLUMNS * DIMENSIONS }, gauss);
  let vectors = multiply(rows, back, DIMENSIONS);
  for (let step = 0; step < POWER_STEPS; step++) {
    orthogonalise(vectors, DIMENSIONS);
    back = multiplyBack(rows, vectors, COLUMNS, DIMENSIONS);
    orthogonalise(back, DIMENSIONS);
    vectors = multiply(rows, back, DIMENSIONS);
  }
  unitRows(vectors, DIMENSIONS);
  return vectors;
}

/** Spherical k-means of the vectors with these numbers; begins as k-means++ does. */
function findMeans(
  vectors: Float32Array,
  ids: readonly number[],
  count: number,
  random: () => number,
): number[] {
  const size = Math.min(count, ids.length);
  const means = new Float32Array(size * DIMENSIONS);
  const likeness = (mean: number, id: number): number => {
    let sum = 0;
    for (let at = 0; at < DIMENSIONS; at++) {
      sum += (means[mean * DIMENSIONS + at] ?? 0) * (vectors[id * DIMENSIONS + at] ?? 0);
    }
    return sum;
  };
  const distances = new Float32Array(ids.length).fill(9);
  for (let mean = 0; mean < size; mean++) {
    let pick = 0;
    if (mean > 0) {
      let left = random() * distances.reduce((sum, distance) => sum + distance ** 2, 0);
      while (pick < ids.length - 1 && (left -= (distances[pick] ?? 0) ** 2) > 0) pick++;
    }
    const from = (ids[pick] ?? 0) * DIMENSIONS;
    means.set(vectors.subarray(from, from + DIMENSIONS), mean * DIMENSIONS);
    for (const [at, id] of ids.entries()) {
      distances[at] = Math.min(distances[at] ?? 0, Math.max(0, 1 - likeness(mean, id)));
    }
  }
  let nearest: number[] = [];
  for (let step = 0; step < MEANS_STEPS; step++) {
    nearest = ids.map((id) => {
      let best = 0;
      let bestLikeness = -Infinity;
      for (let mean = 0; mean < size; mean++) {
        const found = likeness(mean, id);
        if (found > bestLikeness) [best, bestLikeness] = [mean, found];
      }
      return best;
    });
    means.fill(0);
    for (const [at, id] of ids.entries()) {
      const mean = (nearest[at] ?? 0) * DIMENSIONS;
      for (let part = 0; part < DIMENSIONS; part++) {
        means[mean + part]! += vectors[id * DIMENSIONS + part] ?? 0;
      }
    }
    unitRows(means, DIMENSIONS);
  }
  return nearest;
}

const CAPITALS_COUNT_MIN = 3;

/** Looks at sentences that have capitals here and there, past their first word. */
function countCapitals(sentences: string[][], folded: string[][]): Map<string, number> {
  const counts = new Map<string, { all: number; capital: number }>();
  for (const [at, sentence] of sentences.entries()) {
    const worded = sentence.filter((token) => /\p{L}/u.test(token));
    const share = worded.filter((token) => /^\p{Lu}/u.test(token)).length / worded.length;
    if (worded.length < 5 || share >= 0.5 || share === 0) continue;
    for (let place = 1; place < sentence.length; place++) {
      const word = folded[at]?.[place] ?? "";
      const count = counts.get(word) ?? { all: 0, capital: 0 };
      count.all++;
      if (/^\p{Lu}/u.test(sentence[place] ?? "")) count.capital++;
      counts.set(word, count);
    }
  }
  const capitals = new Map<string, number>();
  for (const [word, { all, capital }] of counts) {
    if (all < CAPITALS_COUNT_MIN) continue;
    const share = capital / all;
    capitals.set(word, share < 0.1 ? 1 : share < 0.6 ? 2 : share < 0.9 ? 3 : 4);
  }
  return capitals;
}
