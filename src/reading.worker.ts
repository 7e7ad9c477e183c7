import type { Database } from "./platform/database.ts";
import { openReader } from "./platform/reader.ts";
import { serveJobs } from "./platform/worker-side.ts";
import { type ReadJob, answerRead } from "./reading.ts";

serveJobs(createReader());

/** Opens the file with the first job. */
function createReader(): (job: ReadJob) => unknown {
  let db: Database["db"] | null = null;
  return (job) => {
    db ??= openReader(job.path);
    return answerRead(db, job);
  };
}
