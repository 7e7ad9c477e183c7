import { quoted } from "../environment.ts";
import { codeOf } from "../platform/error-code.ts";

/** The program cannot listen where it should. The message is one line that names the setting. */
export class ListenFailure extends Error {
  override name = "ListenFailure";
}

/** Runs what begins to listen. Throws `ListenFailure` where the address is why that fails. */
export function listenOrExplain<T>(
  { host, port }: { host: string; port: number },
  listen: () => T,
): T {
  try {
    return listen();
  } catch (error) {
    throw explain(error, host, port);
  }
}

function explain(error: unknown, host: string, port: number): unknown {
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return new ListenFailure(
        `PORT: ${port} at ${host} is taken; stop what listens there, or set another one`,
      );
    case "EACCES":
    case "EPERM":
      return new ListenFailure(
        `PORT: this user may not listen on ${port}; take one from 1024 on, or grant CAP_NET_BIND_SERVICE`,
      );
    case "EADDRNOTAVAIL":
    case "EAFNOSUPPORT":
    case "EINVAL":
    case "ENOTFOUND":
      return new ListenFailure(`HOST: ${quoted(host)} is no address of this machine`);
    default:
      return error;
  }
}
