import { describe, expect, test } from "bun:test";
import { ListenFailure, listenOrExplain } from "../../src/http/listen-failure.ts";
import { createListener } from "../../src/http/listener.ts";

describe("a listener", () => {
  for (const isShared of [false, true]) {
    test(`goes on with the certificate it has when the new one fails (shared: ${isShared})`, () => {
      let listening = 0;
      const sent: string[] = [];
      const open = (port: number, tls: string) => {
        if (tls === "bad") throw new Error("no certificate");
        listening++;
        const stop = (): Promise<void> => {
          listening--;
          return Promise.resolve();
        };
        const publish = (): number => sent.push(tls);
        return { port, publish, stop };
      };
      const listener = createListener({ open, port: 1, tls: "first", isShared });
      expect(() => listener.renew("bad")).toThrow("no certificate");
      expect(listening).toBe(1);
      listener.renew("second");
      expect(listening).toBe(1);
      listener.publish("room", "hello");
      expect(sent).toContain("second");
    });
  }

  test("that cannot listen names the setting", () => {
    const failing = (code: string): unknown => {
      try {
        return listenOrExplain({ host: "192.0.2.1", port: 80 }, () => {
          throw Object.assign(new Error("listen"), { code });
        });
      } catch (error) {
        return error;
      }
    };
    for (const [code, name] of [
      ["EADDRINUSE", "PORT: 80 at 192.0.2.1"],
      ["EACCES", "PORT: this user may not listen on 80"],
      ["EADDRNOTAVAIL", 'HOST: "192.0.2.1"'],
    ]) {
      const error = failing(code ?? "");
      expect(error).toBeInstanceOf(ListenFailure);
      expect(String(error)).toContain(name ?? "");
    }
    expect(failing("EMFILE")).not.toBeInstanceOf(ListenFailure);
  });
});
