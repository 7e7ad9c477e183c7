// How settings are read; config.ts says which there are.

/** A setting that cannot be used. Its message is one line and names the setting, never a secret. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

export type Environment = Record<string, string | undefined>;

/** A value as it may stand in a message: one line, whatever it holds. */
export function quoted(value: string): string {
  return JSON.stringify(value);
}

/** A setting's text; unset and empty mean the same. */
export function text(env: Environment, name: string): string | null {
  const value = env[name]?.trim();
  return value === undefined || value === "" ? null : value;
}

export function secret(env: Environment, name: string, bytesMin: number): string | null {
  const value = text(env, name);
  if (value !== null && Buffer.byteLength(value) < bytesMin) {
    throw new ConfigError(`${name} must have at least ${bytesMin} bytes`);
  }
  return value;
}

export function choice<const T extends string>(
  env: Environment,
  name: string,
  values: readonly T[],
  fallback: NoInfer<T>,
): T {
  const value = text(env, name);
  if (value === null) return fallback;
  const found = values.find((one) => one === value);
  if (found === undefined) {
    throw new ConfigError(`${name} must be one of ${values.join(", ")}, not ${quoted(value)}`);
  }
  return found;
}

/** Some of `values`, comma-separated. */
export function list<const T extends string>(
  env: Environment,
  name: string,
  values: readonly T[],
  fallback: NoInfer<T>[],
): T[] {
  const parts = text(env, name)?.split(/\s*,\s*/);
  if (parts === undefined) return fallback;
  return parts.map((part) => {
    const found = values.find((one) => one === part);
    if (found === undefined) {
      throw new ConfigError(`${name} must list any of ${values.join(", ")}, not ${quoted(part)}`);
    }
    return found;
  });
}

export function whole(
  env: Environment,
  name: string,
  fallback: number,
  min: number,
  max: number,
): number {
  const value = text(env, name);
  if (value === null) return fallback;
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < min || number > max) {
    throw new ConfigError(
      `${name} must be a whole number from ${min} to ${max}, not ${quoted(value)}`,
    );
  }
  return number;
}

/** A number from 0 to 1. */
export function fraction(env: Environment, name: string, fallback: number): number {
  const value = text(env, name);
  if (value === null) return fallback;
  const number = Number(value);
  if (!/^\d*\.?\d+$/.test(value) || number > 1) {
    throw new ConfigError(`${name} must be a number from 0 to 1, not ${quoted(value)}`);
  }
  return number;
}

/** `name=value` with commas between; what is special in a value is percent-encoded. */
export function pairs(env: Environment, name: string): Record<string, string> {
  const parts = text(env, name)?.split(",") ?? [];
  const entries = parts.map((part): [string, string] => {
    const [, key = "", value = ""] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(part) ?? [];
    try {
      if (key !== "") return [decodeURIComponent(key), decodeURIComponent(value)];
    } catch {
      // What is not encoded well is no pair.
    }
    throw new ConfigError(`${name} must be pairs as name=value with commas between them`);
  });
  return Object.fromEntries(entries);
}

export function httpAddress(env: Environment, name: string): string | null {
  const value = text(env, name);
  if (value !== null && !/^https?:$/.test(URL.parse(value)?.protocol ?? "")) {
    throw new ConfigError(`${name} must be an address such as https://example.org/path`);
  }
  return value;
}
