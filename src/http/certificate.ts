import { X509Certificate, createPrivateKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { ConfigError, quoted } from "../environment.ts";

/** What TLS is served with, in PEM. */
export interface Certificate {
  cert: string;
  key: string;
  /** When browsers begin and stop to believe it, Unix milliseconds. */
  beginsAt: number;
  expiresAt: number;
}

/** Why clients refuse a certificate for its dates; null when they do not. */
export function whyNotBelieved({ beginsAt, expiresAt }: Certificate, now: number): string | null {
  if (expiresAt < now) {
    return `the certificate expired at ${new Date(expiresAt).toISOString()}: clients refuse it`;
  }
  return beginsAt > now
    ? `the certificate is not valid before ${new Date(beginsAt).toISOString()}: clients refuse it`
    : null;
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
  // What is behind the first certificate is read as well, before it takes the place of one that works.
  parse("TLS_CERT", paths.certPath, "chain of certificates", () =>
    createSecureContext({ cert, key }),
  );
  const { validFrom, validTo } = certificate;
  return { cert, key, beginsAt: Date.parse(validFrom), expiresAt: Date.parse(validTo) };
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
