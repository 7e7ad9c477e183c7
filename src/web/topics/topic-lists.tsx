import { useApp } from "../context.ts";
import { counted } from "../parts/numbers.ts";
import { KINDS, type Topic, changed } from "./wishes.ts";

interface ListProps {
  topics: readonly Topic[];
  sort: "count" | "lift";
}

/** From the rarest word of a cloud to the commonest. */
const WORD_SIZE_MIN_REM = 0.9375;
const WORD_SIZE_MAX_REM = 2.75;

/** Where the focus goes back to when a topic's own part is closed. */
export const topicId = ({ topic, label }: Pick<Topic, "topic" | "label">): string =>
  `topic-${label}-${topic}`;

/** Topics as bars, with their figures. */
export function TopicBars({ topics, sort }: ListProps) {
  const most = mostOf(topics, sort);
  return (
    <ol class="bars">
      {topics.map((topic) => (
        <li key={topicId(topic)}>
          <TopicLink topic={topic} class="bar-row">
            <b dir="auto" class="clamped" title={topic.topic}>
              {topic.topic}
            </b>
            <span class="kind small" data-kind={topic.label}>
              {KINDS[topic.label].one}
            </span>
            <span class="track" style={{ "--share": valueOf(topic, sort) / most }} />
            <span class="number figure">{counted(topic.count, "post")}</span>
            <Lift lift={topic.lift} />
          </TopicLink>
        </li>
      ))}
    </ol>
  );
}

/** Topics as words, the larger the more there is of them; by name, so that one finds them. */
export function TopicCloud({ topics, sort }: ListProps) {
  const values = topics.map((topic) => valueOf(topic, sort));
  const least = Math.min(...values);
  const range = Math.max(mostOf(topics, sort) - least, Number.MIN_VALUE);
  const byName = topics.toSorted((one, other) => one.topic.localeCompare(other.topic));
  const sizeOf = (topic: Topic): number =>
    WORD_SIZE_MIN_REM +
    ((WORD_SIZE_MAX_REM - WORD_SIZE_MIN_REM) * (valueOf(topic, sort) - least)) / range;
  return (
    <ul class="cloud">
      {byName.map((topic) => (
        <li key={topicId(topic)} style={{ "--size": `${sizeOf(topic)}rem` }}>
          <TopicLink topic={topic} class="word" title={counted(topic.count, "post")}>
            <span class="kind" data-kind={topic.label} dir="auto">
              {topic.topic}
            </span>
            <span class="spoken">
              , {KINDS[topic.label].one}, {counted(topic.count, "post")}
            </span>
          </TopicLink>
        </li>
      ))}
    </ul>
  );
}

/** What the signs before the words mean. */
export function KindLegend() {
  return (
    <ul class="row legend small" aria-label="Kinds">
      {Object.entries(KINDS).map(([label, { one }]) => (
        <li key={label} class="kind" data-kind={label}>
          {one}
        </li>
      ))}
    </ul>
  );
}

interface TopicLinkProps {
  topic: Topic;
  class: string;
  title?: string;
  children: preact.ComponentChildren;
}

function TopicLink({ topic, children, ...rest }: TopicLinkProps) {
  const { router } = useApp();
  const place = router.place.value;
  const isOpen =
    place.query.get("topic") === topic.topic && place.query.get("kind") === topic.label;
  return (
    <a
      id={topicId(topic)}
      href={changed(place, { topic: topic.topic, kind: topic.label })}
      aria-current={isOpen ? "true" : undefined}
      {...rest}
    >
      {children}
    </a>
  );
}

/** How particular a topic is; takes its room also when it is not known. */
function Lift({ lift }: { lift: number | undefined }) {
  return (
    <span class="number figure muted">
      {lift !== undefined && (
        <>
          {liftText(lift)}
          <span class="spoken"> times as likely as in all publications</span>
        </>
      )}
    </span>
  );
}

export function liftText(lift: number): string {
  return `${lift.toLocaleString(undefined, { maximumFractionDigits: lift < 10 ? 1 : 0 })}×`;
}

function valueOf({ count, lift = 0 }: Topic, sort: "count" | "lift"): number {
  return sort === "lift" ? lift : count;
}

function mostOf(topics: readonly Topic[], sort: "count" | "lift"): number {
  return Math.max(...topics.map((topic) => valueOf(topic, sort)), Number.MIN_VALUE);
}
