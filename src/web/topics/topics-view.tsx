import { useApp } from "../context.ts";
import { MoreButton } from "../parts/more-button.tsx";
import { Filters } from "./filters.tsx";
import { KindLegend, TopicBars, TopicCloud } from "./topic-lists.tsx";
import { useTopicPages } from "./topic-pages.ts";
import { TimelinePart } from "./timeline-part.tsx";
import { type Wishes, changed, daysOf, readWishes } from "./wishes.ts";
import { Problem } from "../parts/problem.tsx";

/** What one publication talks about, or (null) all of them. */
export function TopicsView({ publication }: { publication: string | null }) {
  const { router } = useApp();
  const wishes = readWishes(router.place.value.query);
  const { label, q, sort, topic } = wishes;
  const days = daysOf(wishes);
  const pages = useTopicPages(publication, {
    ...days,
    sort,
    ...(label !== null && { label }),
    ...(q !== "" && { q }),
  });
  const { topics } = pages;
  return (
    <div class="stack">
      <Filters wishes={wishes} isList />
      {topic !== null && (
        <TimelinePart
          key={`${topic.label} ${topic.name}`}
          topic={topic}
          publication={publication}
          days={days}
        />
      )}
      <Problem text={pages.error} />
      <p class="spoken" role="status">
        {topics !== null && !pages.isLoading && `${topics.length} topics are shown`}
      </p>
      <section
        class="topic-list stack tight"
        aria-labelledby="topics-heading"
        aria-busy={pages.isLoading}
      >
        <div class="row apart">
          <h2 id="topics-heading">Topics</h2>
          {wishes.shown === "words" && <KindLegend />}
          {wishes.shown === "bars" && (
            <p class="muted small">
              {publication === null
                ? "× how much likelier than in all, where it is most particular"
                : "× how much likelier here than in all publications"}
            </p>
          )}
        </div>
        {topics === null && pages.error === null && <p class="muted">Loading the topics…</p>}
        {topics?.length === 0 && <NoTopics wishes={wishes} />}
        {topics !== null &&
          topics.length > 0 &&
          (wishes.shown === "bars" ? (
            <TopicBars topics={topics} sort={sort} />
          ) : (
            <TopicCloud topics={topics} sort={sort} />
          ))}
        <MoreButton
          label="Show more topics"
          hasMore={pages.hasMore}
          isLoading={pages.isLoading}
          onMore={() => void pages.more()}
        />
      </section>
    </div>
  );
}

function NoTopics({ wishes: { label, q, period } }: { wishes: Wishes }) {
  const { router } = useApp();
  const isNarrowed = label !== null || q !== "" || period !== "all";
  if (!isNarrowed) {
    return (
      <div class="empty">
        <p>No person, organisation or place is named here yet.</p>
      </div>
    );
  }
  const everything = { label: null, q: null, period: null, since: null, until: null };
  return (
    <div class="empty">
      <p>Nothing fits what you chose.</p>
      <a class="button" href={changed(router.place.value, everything)}>
        Show everything
      </a>
    </div>
  );
}
