import type { Caller } from "../../http/caller.ts";
import { Problem } from "../../http/problem.ts";
import { readQuery } from "../../text/search-text.ts";
import type { FoundPage } from "./kept-model.ts";
import type { SearchRequest } from "./search.store.ts";

export interface TranscriptionSearch {
  /** Segments that the caller may see, newest first. Throws `invalid` for a query without words. */
  search(caller: Caller, query: SearchQuery): Promise<FoundPage>;
}

export interface SearchQuery {
  /** Words, of which every one occurs, and phrases in quotation marks. */
  text: string;
  language: string | null;
  /** `next` of the page before. */
  after: number | null;
  limit: number;
}

export interface TranscriptionSearchDependencies {
  /** Runs `searchPage` where it disturbs nobody. */
  find(request: SearchRequest): Promise<FoundPage>;
}

/** Terms of one query; more are refused. */
const TERMS_MAX = 16;
const TERM_WORDS_MAX = 32;

export function createTranscriptionSearch({
  find,
}: TranscriptionSearchDependencies): TranscriptionSearch {
  return {
    search: async (caller, { text, language, after, limit }) => {
      const terms = readQuery(text.toWellFormed());
      if (terms.length === 0) throw new Problem("invalid", "q must hold a word to look for");
      if (terms.length > TERMS_MAX || terms.some(({ words }) => words.length > TERM_WORDS_MAX)) {
        throw new Problem(
          "invalid",
          `q may hold ${TERMS_MAX} words or phrases of ${TERM_WORDS_MAX} words`,
        );
      }
      const userId = caller.role === "user" ? caller.userId : null;
      return find({ terms, userId, language, before: after, limit });
    },
  };
}
