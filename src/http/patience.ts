import type { Server } from "bun";

/** A connection that says nothing for so long is closed. */
export const IDLE_S = 60;
const NO_LIMIT_S = 0;

/** A request as routes know it. */
export interface Waiting {
  request: Request;
  server: Server<unknown> | null;
}

/**
 * Does work that may be silent for longer than a connection may. The limit holds again behind it, for
 * what is streamed as an answer and for the connection's next requests.
 */
export async function patiently<Answer>(
  { request, server }: Waiting,
  work: () => Promise<Answer>,
): Promise<Answer> {
  server?.timeout(request, NO_LIMIT_S);
  try {
    return await work();
  } finally {
    server?.timeout(request, IDLE_S);
  }
}
