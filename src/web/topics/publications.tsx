import { useSignal } from "@preact/signals";
import { useApp } from "../context.ts";
import { type Loaded, useLoaded } from "../parts/loaded.ts";
import { Problem } from "../parts/problem.tsx";
import { liftText } from "./topic-lists.tsx";
import { type TopicPage, topicsPath } from "./topic-pages.ts";
import { counted } from "../parts/numbers.ts";
import { type Publication, changed, publicationAddress } from "./wishes.ts";

/** So many cards are shown at once; each asks for its topics. */
const CARDS = 24;
const CARD_TOPICS = 3;
export const COMPARED_MAX = 3;

/** Every publication as a card, the largest first; some can be chosen to be compared. */
export function Publications({ publications }: { publications: Loaded<Publication[]> }) {
  const { router } = useApp();
  const shown = useSignal(CARDS);
  const place = router.place.value;
  const find = place.query.get("find") ?? "";
  const chosen = place.query.getAll("with");
  const { value: all } = publications.value;
  if (publications.error.value !== null) {
    return <Problem text={publications.error.value} />;
  }
  if (all === null) return <p class="muted publications-room">Loading the publications…</p>;
  if (all.length === 0) return <NoPublications />;
  const fitting = all
    .filter(({ publication }) => publication.toLowerCase().includes(find.trim().toLowerCase()))
    .toSorted((one, other) => other.posts - one.posts);
  const choose = (publication: string, isChosen: boolean): void => {
    const query = new URLSearchParams(place.query);
    query.delete("with");
    const rest = chosen.filter((each) => each !== publication);
    for (const each of isChosen ? [...rest, publication] : rest) query.append("with", each);
    router.go(query.size === 0 ? "/topics" : `/topics?${query}`, "replace");
  };
  return (
    <div class="stack">
      <div class="publications-tools">
        <label class="field">
          <span>Find a publication</span>
          <input
            class="input"
            type="search"
            value={find}
            placeholder="Its name"
            autocomplete="off"
            dir="auto"
            onInput={({ currentTarget }) =>
              router.go(changed(place, { find: currentTarget.value }), "replace")
            }
          />
        </label>
        <CompareLink chosen={chosen} />
      </div>
      <p class="muted small" role="status">
        {counted(fitting.length, "publication")}
        {fitting.length < all.length && ` of ${all.length.toLocaleString()}`}
      </p>
      <ul class="cards">
        {fitting.slice(0, shown.value).map((publication) => (
          <li key={publication.publication}>
            <PublicationCard
              publication={publication}
              isChosen={chosen.includes(publication.publication)}
              isFull={chosen.length >= COMPARED_MAX}
              onChoose={(isChosen) => choose(publication.publication, isChosen)}
            />
          </li>
        ))}
      </ul>
      {fitting.length > shown.value && (
        <button
          type="button"
          class="button centred"
          onClick={() => {
            shown.value += CARDS;
          }}
        >
          Show more publications
        </button>
      )}
    </div>
  );
}

function CompareLink({ chosen }: { chosen: readonly string[] }) {
  if (chosen.length < 2) {
    return (
      <p class="muted small">
        {chosen.length === 0 ? "Tick two or three to compare them" : "Tick one more to compare"}
      </p>
    );
  }
  const query = new URLSearchParams([["view", "compare"], ...chosen.map((each) => ["with", each])]);
  return (
    <a class="button main" href={`/topics?${query}`}>
      Compare {chosen.length}
    </a>
  );
}

interface PublicationCardProps {
  publication: Publication;
  isChosen: boolean;
  isFull: boolean;
  onChoose(isChosen: boolean): void;
}

function PublicationCard({ publication, isChosen, isFull, onChoose }: PublicationCardProps) {
  const { publication: name, posts, topics } = publication;
  return (
    <article class="card publication-card">
      <h2>
        <a href={publicationAddress(name)} dir="auto" title={name}>
          <span class="clamped">{name}</span>
        </a>
      </h2>
      <p class="muted small">
        {counted(posts, "post")} · {counted(topics, "topic")}
      </p>
      <CardTopics name={name} />
      <label class="check small">
        <input
          type="checkbox"
          checked={isChosen}
          disabled={isFull && !isChosen}
          onChange={({ currentTarget }) => onChoose(currentTarget.checked)}
        />
        <span>
          Compare<span class="spoken"> {name}</span>
        </span>
      </label>
    </article>
  );
}

/** What is most particular to a publication. */
function CardTopics({ name }: { name: string }) {
  const { api } = useApp();
  const { value } = useLoaded(
    (signal) => api.get<TopicPage>(topicsPath(name), { sort: "lift", limit: CARD_TOPICS }, signal),
    [name],
  );
  return (
    <ul class="card-topics small" aria-label={`Most particular to ${name}`}>
      {value.value?.topics.map(({ topic, label, lift }) => (
        <li key={`${label} ${topic}`} class="kind" data-kind={label}>
          <span dir="auto">{topic}</span>
          {lift !== undefined && <span class="muted number"> {liftText(lift)}</span>}
        </li>
      ))}
    </ul>
  );
}

function NoPublications() {
  return (
    <div class="empty">
      <p>No posts have been counted yet. A file of them is a good beginning.</p>
      <a class="button main" href="/topics?view=posts">
        Send posts
      </a>
    </div>
  );
}
