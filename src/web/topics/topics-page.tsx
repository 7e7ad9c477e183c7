import { useEffect, useMemo } from "preact/hooks";
import { useApp } from "../context.ts";
import { useLoaded } from "../parts/loaded.ts";
import { CompareView } from "./compare-view.tsx";
import { Publications } from "./publications.tsx";
import { useTitle } from "../parts/title.ts";
import { QueuePanel } from "./queue-panel.tsx";
import { isForbidden } from "./queue-state.ts";
import { createSender } from "./sending.ts";
import { SendingLine } from "./sending-part.tsx";
import { TopicsView } from "./topics-view.tsx";
import { UploadPanel } from "./upload-panel.tsx";
import { counted } from "../parts/numbers.ts";
import { type Publication } from "./wishes.ts";

type View = "publications" | "publication" | "all" | "compare" | "posts";

/** What publications talk about, and where their posts come in. */
export function TopicsPage({ publication }: { publication: string | null }) {
  const { api, router, session } = useApp();
  // A file goes on while somebody looks at topics.
  const sender = useMemo(() => createSender(api), [api]);
  useEffect(() => {
    const hold = (event: BeforeUnloadEvent): void => {
      if (sender.sending.peek()?.state === "going") event.preventDefault();
    };
    window.addEventListener("beforeunload", hold);
    return () => {
      window.removeEventListener("beforeunload", hold);
      sender.stop();
    };
  }, [sender]);
  const view = viewOf(publication, router.place.value.query.get("view"));
  const mayPost = useLoaded(async () => {
    if (session.person.value?.role === "user") return false;
    try {
      await api.get("/v1/queue");
    } catch (error) {
      // Whatever else goes wrong is told where the queue is shown.
      return !isForbidden(error);
    }
    return true;
  }, [api, session.person.value?.role]);
  const publications = useLoaded(
    (signal) => api.get<Publication[]>("/v1/publications", {}, signal),
    [view],
  );
  const title = titleOf(view, publication);
  useTitle(title);

  return (
    <div class="page stack topics">
      <nav class="tabs" aria-label="Topics">
        <Tab
          to="/topics"
          label="Publications"
          isHere={view === "publications"}
          isAbove={isWithin(view)}
        />
        <Tab to="/topics?view=all" label="All topics" isHere={view === "all"} />
        {mayPost.value.value === true && (
          <Tab to="/topics?view=posts" label="Posts and queue" isHere={view === "posts"} />
        )}
      </nav>
      <div class="stack tight">
        <h1 dir="auto">{title}</h1>
        {publication !== null && (
          <PublicationSize name={publication} publications={publications.value.value} />
        )}
        {view !== "posts" && <SendingLine sender={sender} />}
      </div>
      {view === "publications" && <Publications publications={publications} />}
      {view === "compare" && <CompareView publications={publications.value.value} />}
      {view === "all" && <TopicsView publication={null} />}
      {publication !== null && <TopicsView key={publication} publication={publication} />}
      {view === "posts" && mayPost.value.value === false && (
        <p class="empty">Only an admin, or a program with a key, may send posts here.</p>
      )}
      {view === "posts" && mayPost.value.value === true && (
        <>
          <UploadPanel sender={sender} />
          <QueuePanel />
        </>
      )}
    </div>
  );
}

interface TabProps {
  to: string;
  label: string;
  isHere: boolean;
  /** What is shown lies below it. */
  isAbove?: boolean;
}

function Tab({ to, label, isHere, isAbove = false }: TabProps) {
  const current = isAbove ? "true" : undefined;
  return (
    <a href={to} aria-current={isHere ? "page" : current}>
      {label}
    </a>
  );
}

function PublicationSize(props: { name: string; publications: readonly Publication[] | null }) {
  const found = props.publications?.find(({ publication }) => publication === props.name);
  return (
    <p class="muted publication-size">
      {found !== undefined && `${counted(found.posts, "post")} · ${counted(found.topics, "topic")}`}
    </p>
  );
}

function viewOf(publication: string | null, view: string | null): View {
  if (publication !== null) return "publication";
  return view === "all" || view === "compare" || view === "posts" ? view : "publications";
}

function isWithin(view: View): boolean {
  return view === "publication" || view === "compare";
}

function titleOf(view: View, publication: string | null): string {
  if (publication !== null) return publication;
  if (view === "all") return "What all publications talk about";
  if (view === "compare") return "Side by side";
  if (view === "posts") return "Posts and their queue";
  return "What publications talk about";
}
