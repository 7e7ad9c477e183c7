import { useApp } from "../context.ts";
import { useLoaded } from "../parts/loaded.ts";
import { type Cell, type Listed, type Row, compare } from "./comparison.ts";
import { Filters } from "./filters.tsx";
import { COMPARED_MAX } from "./publications.tsx";
import { liftText } from "./topic-lists.tsx";
import { type TopicPage, topicsPath } from "./topic-pages.ts";
import { counted } from "../parts/numbers.ts";
import {
  KINDS,
  type Publication,
  type Topic,
  daysOf,
  publicationAddress,
  readWishes,
} from "./wishes.ts";
import { Problem } from "../parts/problem.tsx";

const ROWS = 25;
const SPECIAL = 8;
/** As many as the server gives at once: what is not among them is rare. */
const LISTED = 1_000;

interface Compared extends Listed {
  /** The most particular first. */
  special: readonly Topic[];
}

/** Two or three publications side by side. */
export function CompareView({ publications }: { publications: readonly Publication[] | null }) {
  const { api, router } = useApp();
  const { query } = router.place.value;
  const names = query.getAll("with").slice(0, COMPARED_MAX);
  const wishes = readWishes(query);
  const asked = {
    ...daysOf(wishes),
    ...(wishes.label !== null && { label: wishes.label }),
    ...(wishes.q !== "" && { q: wishes.q }),
  };
  const isAllTime = wishes.period === "all";
  const { value, error, isLoading } = useLoaded(
    (signal) =>
      Promise.all(
        names.map(async (publication): Promise<Compared> => {
          const path = topicsPath(publication);
          const [common, special] = await Promise.all([
            api.get<TopicPage>(path, { ...asked, limit: LISTED }, signal),
            api.get<TopicPage>(path, { ...asked, sort: "lift", limit: SPECIAL }, signal),
          ]);
          const size = publications?.find((each) => each.publication === publication);
          return {
            publication,
            posts: isAllTime ? (size?.posts ?? null) : null,
            topics: common.topics,
            isWhole: common.next === null,
            special: special.topics.filter(({ lift = 0 }) => lift > 1),
          };
        }),
      ),
    [JSON.stringify([names, asked]), publications],
  );
  const again = new URLSearchParams(names.map((name) => ["with", name]));
  const compared = value.value;
  return (
    <div class="stack">
      <p>
        <a href={`/topics?${again}`}>Choose other publications</a>
      </p>
      <Filters wishes={wishes} isList={false} />
      <Problem text={error.value} />
      {compared === null && error.value === null && <p class="muted">Loading the topics…</p>}
      {compared !== null && (
        <div class="stack" aria-busy={isLoading.value}>
          <CommonTable compared={compared} isAllTime={isAllTime} />
          <section class="stack tight" aria-labelledby="special-heading">
            <h2 id="special-heading">What is special for each</h2>
            <div class="special">
              {compared.map((each) => (
                <SpecialList key={each.publication} compared={each} />
              ))}
            </div>
          </section>
        </div>
      )}
    </div>
  );
}

function CommonTable(props: { compared: readonly Compared[]; isAllTime: boolean }) {
  const { compared, isAllTime } = props;
  const rows = compare(compared, ROWS);
  if (rows.length === 0) return <p class="empty">Nothing fits what you chose.</p>;
  return (
    <section class="stack tight">
      <h2 id="common-heading">
        {isAllTime ? "In how many of its posts" : "In how many posts of this period"}
      </h2>
      <div class="table-room whole" role="region" aria-labelledby="common-heading" tabIndex={0}>
        <table class="table compared">
          <thead>
            <tr>
              <th scope="col">Topic</th>
              {compared.map(({ publication }) => (
                <th key={publication} scope="col">
                  <a href={publicationAddress(publication)} dir="auto">
                    {publication}
                  </a>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={`${row.label} ${row.topic}`}>
                <th scope="row">
                  <span class="kind" data-kind={row.label} dir="auto">
                    {row.topic}
                  </span>
                  <span class="spoken">, {KINDS[row.label].one}</span>
                </th>
                {row.cells.map((cell, at) => (
                  <td key={compared[at]?.publication}>
                    <CellFigure cell={cell} most={mostOf(rows, at, isAllTime)} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function CellFigure({ cell, most }: { cell: Cell; most: number }) {
  const { count, share, isBelow } = cell;
  const figure = share === null ? count.toLocaleString() : percentOf(share);
  return (
    <div class="cell" title={counted(count, "post")}>
      <span class="track" style={{ "--share": isBelow ? 0 : (share ?? count) / most }} />
      <span class="number figure" data-none={isBelow || count === 0}>
        {isBelow ? `under ${figure}` : figure}
      </span>
    </div>
  );
}

function SpecialList({ compared: { publication, special } }: { compared: Compared }) {
  return (
    <section class="card stack tight">
      <h3 dir="auto">{publication}</h3>
      {special.length === 0 && <p class="muted small">Nothing stands out.</p>}
      <ol class="special-list">
        {special.map(({ topic, label, lift, count }) => (
          <li key={`${label} ${topic}`}>
            <span class="kind" data-kind={label} dir="auto">
              {topic}
            </span>
            <span class="muted small number">
              {lift !== undefined && `${liftText(lift)} · `}
              {counted(count, "post")}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Shares are drawn on one scale; counts of large and small publications each on their own. */
function mostOf(rows: readonly Row[], at: number, isShare: boolean): number {
  const cells = isShare ? rows.flatMap((row) => row.cells) : rows.map(({ cells }) => cells[at]);
  return Math.max(
    ...cells.map((cell) => (cell?.isBelow === true ? 0 : (cell?.share ?? cell?.count ?? 0))),
    Number.MIN_VALUE,
  );
}

function percentOf(share: number): string {
  const maximumFractionDigits = share < 0.1 ? 1 : 0;
  return share.toLocaleString(undefined, { style: "percent", maximumFractionDigits });
}
