import type { Database } from "../../platform/database.ts";
import { openReader } from "../../platform/reader.ts";
import { serveJobs } from "../../platform/worker-side.ts";
import type { FoundPage } from "./kept-model.ts";
import type { SearchJob } from "./search.reader.ts";
import { searchPage } from "./search.ts";

serveJobs(createSearcher());

/** Opens the file with the first job. */
function createSearcher(): (job: SearchJob) => FoundPage {
  let db: Database["db"] | null = null;
  return ({ path, request }) => {
    db ??= openReader(path);
    return searchPage(db, request);
  };
}
