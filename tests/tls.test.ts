import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { readConfig } from "../src/config.ts";
import { ConfigError } from "../src/environment.ts";
import { readCertificate, whyNotBelieved } from "../src/http/certificate.ts";
import { QUIET, temporaryFolder, until } from "./support/app.ts";
import { type TestServer, runEarshot, startTestServer } from "./support/server.ts";

const hasOpenssl = Bun.which("openssl") !== null;
const SELF_SIGNED = { tls: { rejectUnauthorized: false } };
let folder = "";

/** Makes a certificate for localhost and its key; the name tells it from others. */
function makeCertificate(name: string): void {
  const files = `-keyout ${join(folder, name)}.key -out ${join(folder, name)}.crt`;
  const kind = "-x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1";
  const wishes = `${kind} -subj /CN=${name} ${files}`.split(" ");
  const { exitCode } = Bun.spawnSync(["openssl", "req", ...wishes]);
  expect(exitCode).toBe(0);
}

function paths(cert: string, key = cert) {
  return { certPath: join(folder, `${cert}.crt`), keyPath: join(folder, `${key}.key`) };
}

beforeAll(() => {
  folder = temporaryFolder();
  if (!hasOpenssl) return;
  makeCertificate("first");
  makeCertificate("second");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!hasOpenssl)("a certificate (needs openssl)", () => {
  const refusal = (cert: string, key?: string): Promise<unknown> =>
    readCertificate(paths(cert, key)).then(
      () => null,
      (error: unknown) => error,
    );

  test("is taken with its key, and with nothing else", async () => {
    expect((await readCertificate(paths("first"))).expiresAt).toBeGreaterThan(Date.now());
    writeFileSync(join(folder, "rubbish.crt"), "hunter2");
    writeFileSync(join(folder, "rubbish.key"), "hunter2");
    const broken = "-----BEGIN CERTIFICATE-----\nhunter2x\n-----END CERTIFICATE-----\n";
    const first = await Bun.file(join(folder, "first.crt")).text();
    writeFileSync(join(folder, "chain.crt"), first + broken);
    const cases = [
      [await refusal("first", "second"), "TLS_KEY"],
      [await refusal("gone", "first"), "TLS_CERT"],
      [await refusal("first", "gone"), "TLS_KEY"],
      [await refusal("rubbish", "first"), "TLS_CERT"],
      [await refusal("first", "rubbish"), "TLS_KEY"],
      [await refusal("chain", "first"), "TLS_CERT"],
    ] as const;
    for (const [error, name] of cases) {
      expect(error).toBeInstanceOf(ConfigError);
      const { message } = error as ConfigError;
      expect(message).toStartWith(`${name}: `);
      expect(message).not.toContain("hunter2");
      expect(message).not.toContain("\n");
    }
  });

  test("is warned of outside of its dates", async () => {
    const certificate = await readCertificate(paths("first"));
    const { beginsAt, expiresAt } = certificate;
    expect(whyNotBelieved(certificate, beginsAt)).toBeNull();
    expect(whyNotBelieved(certificate, beginsAt - 1)).toContain("not valid before");
    expect(whyNotBelieved(certificate, expiresAt + 1)).toContain("expired at");
  });

  test("that cannot be used stops the start with one line", async () => {
    const { certPath, keyPath } = paths("first", "second");
    const settings = { ...QUIET, PORT: "0", TLS_CERT: certPath, TLS_KEY: keyPath };
    readConfig(settings);
    const server = runEarshot(["serve"], settings, folder);
    expect(await server.exited).toBe(2);
    const lines = (await server.stderr.text()).trim().split("\n");
    expect(lines).toEqual([expect.stringContaining("TLS_KEY")]);
  });
});

describe.skipIf(!hasOpenssl)("a server with a certificate (needs openssl)", () => {
  let server: TestServer;
  const current = { TLS_CERT: "", TLS_KEY: "" };

  const install = (name: string): void => {
    copyFileSync(join(folder, `${name}.crt`), current.TLS_CERT);
    copyFileSync(join(folder, `${name}.key`), current.TLS_KEY);
  };

  /** The name in the certificate that new connections get. */
  const shown = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const { hostname: host, port } = new URL(server.url);
      const socket = connect({ host, port: Number(port), rejectUnauthorized: false }, () => {
        const { raw } = socket.getPeerCertificate();
        socket.destroy();
        resolve(new X509Certificate(raw).subject);
      });
      socket.on("error", reject);
    });

  beforeAll(async () => {
    current.TLS_CERT = join(folder, "current.crt");
    current.TLS_KEY = join(folder, "current.key");
    install("first");
    server = await startTestServer(current, folder);
  });
  afterAll(() => server.dispose());

  test("serves https and wss; at SIGHUP new connections get the new one, and sockets stay", async () => {
    expect(server.url).toStartWith("https://");
    const hello = async (): Promise<unknown> => (await fetch(server.url, SELF_SIGNED)).json();
    expect(await hello()).toEqual({ Hello: "World" });
    const before = await enter(1);
    expect(await shown()).toContain("CN=first");

    install("second");
    server.signal("SIGHUP");
    await until(() => server.output().includes("read just now"));
    expect(await shown()).toContain("CN=second");
    expect(await hello()).toEqual({ Hello: "World" });

    const after = await enter(2);
    before.say("from the old one");
    after.say("from the new one");
    for (const socket of [before, after]) {
      await until(() => socket.heard.length === 2);
      expect(socket.heard.toSorted()).toEqual(["from the new one", "from the old one"]);
    }

    copyFileSync(join(folder, "first.key"), current.TLS_KEY);
    server.signal("SIGHUP");
    await until(() => server.output().includes("the one from before"));
    expect(await shown()).toContain("CN=second");

    server.signal("SIGTERM");
    expect(await server.exited).toBe(0);
    for (const socket of [before, after]) await until(() => socket.closedWith() === 1012);
  });

  /** A socket in the lobby, and what it hears there. */
  async function enter(userId: number) {
    const address = `${server.url.replace("https:", "wss:")}/v1/ws/chat?room=lobby&user_id=${userId}`;
    const socket = new WebSocket(address, SELF_SIGNED as unknown as string[]);
    const heard: string[] = [];
    let isJoined = false;
    let closedWith = 0;
    socket.addEventListener("message", ({ data }) => {
      const frame = JSON.parse(String(data)) as { type: string; text?: string };
      isJoined ||= frame.type === "joined";
      if (frame.type === "message") heard.push(frame.text ?? "");
    });
    socket.addEventListener("close", ({ code }) => (closedWith = code));
    await until(() => isJoined);
    return {
      heard,
      closedWith: () => closedWith,
      say: (text: string) =>
        socket.send(JSON.stringify({ type: "say", room: "lobby", client_id: text, text })),
    };
  }
});
