import { X509Certificate, createPrivateKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { ConfigError, quoted } from "../environment.ts";

/** What TLS is served with, in PEM. */
export interface Certificate {
  cert: string;
  key: string;
  /** When browsers stop believing it, Unix milliseconds. */
  expiresAt: number;
}

/**
 * Reads a certificate, with the chain behind it, and its key. Throws `ConfigError` when they cannot be
 * read or do not belong together: with those no connection would succeed.
 */
export async function readCertificate(paths: {
  certPath: string;
  keyPath: string;
}): Promise<Certificate> {
  const cert = await read("TLS_CERT", paths.certPath);
  const key = await read("TLS_KEY", paths.keyPath);
  const certificate = parse("TLS_CERT", paths.certPath, "certificate", () => {
    return new X509Certificate(cert);
  });
  const privateKey = parse("TLS_KEY", paths.keyPath, "private key without a passphrase", () =>
    createPrivateKey(key),
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new ConfigError(
      `TLS_KEY: the key in ${quoted(paths.keyPath)} is not that of the certificate in ${quoted(paths.certPath)}`,
    );
  }
  return { cert, key, expiresAt: Date.parse(certificate.validTo) };
}

async function read(name: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw new ConfigError(`${name}: ${quoted(path)} cannot be read (${code})`);
  }
}

function parse<T>(name: string, path: string, what: string, make: () => T): T {
  try {
    return make();
  } catch {
    // What the parser says may hold parts of the file.
    throw new ConfigError(`${name}: ${quoted(path)} holds no ${what} in PEM`);
  }
}
