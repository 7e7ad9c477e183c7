import { serveJobs } from "../platform/worker-side.ts";
import { processText } from "./pipeline.ts";

serveJobs(processText);
