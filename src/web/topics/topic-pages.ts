import { useSignal } from "@preact/signals";
import { type Query, reasonOf } from "../api.ts";
import { useApp } from "../context.ts";
import { type Loaded, useLoaded } from "../parts/loaded.ts";
import type { Topic } from "./wishes.ts";

export interface TopicPage {
  topics: Topic[];
  next: string | null;
}

const PAGE = 50;

/** Where a publication's topics are asked for; null for those of all. */
export function topicsPath(publication: string | null): string {
  return publication === null
    ? "/v1/topics"
    : `/v1/publications/${encodeURIComponent(publication)}/topics`;
}

/** A list of topics that grows by pages, and begins anew when the question changes. */
export function useTopicPages(publication: string | null, query: Query) {
  const { api } = useApp();
  const path = topicsPath(publication);
  const asked = { ...query, limit: PAGE };
  const first: Loaded<TopicPage> = useLoaded(
    (signal) => api.get<TopicPage>(path, asked, signal),
    [path, JSON.stringify(asked)],
  );
  /** What was added to which first page. */
  const added = useSignal<{ to: TopicPage | null; page: TopicPage }>({
    to: null,
    page: { topics: [], next: null },
  });
  const problem = useSignal<string | null>(null);
  const isAdding = useSignal(false);

  const begun = first.value.value;
  const rest = begun !== null && added.value.to === begun ? added.value.page : null;
  const next = rest === null ? (begun?.next ?? null) : rest.next;
  const topics = begun === null ? null : [...begun.topics, ...(rest?.topics ?? [])];

  const more = async (): Promise<void> => {
    isAdding.value = true;
    problem.value = null;
    try {
      const page = await api.get<TopicPage>(path, { ...asked, after: next });
      added.value = {
        to: begun,
        page: { topics: [...(rest?.topics ?? []), ...page.topics], next: page.next },
      };
    } catch (error) {
      problem.value = reasonOf(error);
    }
    isAdding.value = false;
  };

  return {
    topics,
    hasMore: next !== null,
    more,
    isLoading: first.isLoading.value || isAdding.value,
    error: first.error.value ?? problem.value,
  };
}
