/**
 * The same answer, with `onOver` called once when its body was read to the end, was given up or broke:
 * `error` says with what it broke. Nothing is read ahead, so whoever fills the body is held back as
 * without it. An answer that has no body is over at once.
 */
export function whenOver(response: Response, onOver: (error: unknown) => void): Response {
  const { body, status, statusText, headers } = response;
  if (body === null) {
    onOver(null);
    return response;
  }
  const reader = body.getReader();
  let isOver = false;
  const end = (error: unknown): void => {
    if (isOver) return;
    isOver = true;
    onOver(error);
  };
  const passing = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          end(null);
          controller.close();
        } catch (error) {
          end(error);
          controller.error(error);
        }
      },
      cancel: async (reason) => {
        end(null);
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(passing, { status, statusText, headers });
}
