import type { Server } from "bun";

/** The part of a server that is needed once it listens. */
type Listening = Pick<Server<unknown>, "port" | "publish" | "stop">;

/** Where the program listens, however often its certificate changes. */
export interface Listener<Tls> {
  port: number;
  /** Sends a text to every socket that follows a topic. */
  publish(topic: string, text: string): void;
  /** Listens with a new certificate; connections that are open keep theirs. */
  renew(tls: Tls): void;
  /** Takes no more; resolves when nothing is open. */
  stop(): Promise<void>;
  /** Cuts what is open. */
  cut(): Promise<void>;
}

export interface ListenerDependencies<Tls> {
  /** Begins to listen on a port. Throws when it is taken. */
  open(port: number, tls: Tls): Listening;
  port: number;
  tls: Tls;
  /** Whether two may listen on the port at once. */
  isShared: boolean;
}

/**
 * Bun cannot give a server another certificate, so a new one takes its place on the port. The old one's
 * sockets stay open and belong to it: what is published goes to both until they are gone. Where the port
 * is not shared nobody listens for about half a millisecond.
 */
export function createListener<Tls>(dependencies: ListenerDependencies<Tls>): Listener<Tls> {
  const { open, isShared } = dependencies;
  const former = new Map<Listening, Promise<void>>();
  let currentTls = dependencies.tls;
  let current = open(dependencies.port, currentTls);
  const port = current.port ?? dependencies.port;

  const retire = (server: Listening): void => {
    former.set(
      server,
      server.stop().then(() => void former.delete(server)),
    );
  };

  return {
    port,
    publish: (topic, text) => {
      current.publish(topic, text);
      for (const server of former.keys()) server.publish(topic, text);
    },
    renew: (tls) => {
      const old = current;
      if (!isShared) retire(old);
      try {
        current = open(port, tls);
      } catch (error) {
        // Nobody would listen any more.
        if (!isShared) current = open(port, currentTls);
        throw error;
      }
      currentTls = tls;
      if (isShared) retire(old);
    },
    stop: async () => {
      await Promise.all([current.stop(), ...former.values()]);
    },
    cut: async () => {
      await Promise.all([current, ...former.keys()].map((server) => server.stop(true)));
    },
  };
}
