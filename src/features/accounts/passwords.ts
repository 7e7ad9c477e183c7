import { Problem } from "../../http/problem.ts";

/** What a hash costs whoever makes it: memory in KiB, and how often it is gone through. */
export interface PasswordCost {
  memoryKib: number;
  passes: number;
}

/** Hashes of passwords and their comparison, a few at a time. Both throw `queue_full`. */
export interface Passwords {
  hash(password: string): Promise<string>;
  /** Whether it is the hash's password; without a hash it is not, which takes as long to find out. */
  verify(password: string, hash: string | null): Promise<boolean>;
}

/** About 70 ms on one core of 2024; above the least that OWASP names (19 MiB, 2 passes). */
const COST: PasswordCost = { memoryKib: 32 * 1024, passes: 2 };
/** They run on threads of their own, which would take every core from the rest. */
const AT_ONCE = 2;
/** Those that wait for about two seconds; past it they are refused. */
const WAITING_MAX = 50;
const RETRY_MS = 2_000;

const PASSWORD_CHARACTERS_MIN = 8;
const PASSWORD_CHARACTERS_MAX = 200;

/** Passwords are hashed by argon2id (RFC 9106), in the PHC format, which holds salt and cost. */
export function createPasswords(cost: PasswordCost = COST): Passwords {
  const nobody = hashOfNobody(cost);
  const waiting: (() => void)[] = [];
  let running = 0;

  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= AT_ONCE) {
      if (waiting.length >= WAITING_MAX) {
        throw new Problem("queue_full", "Too many sign in at once; try again soon", {
          retryAfterMs: RETRY_MS,
        });
      }
      // Whoever ends hands its turn over, so that nobody comes between.
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      running++;
    }
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };

  return {
    hash: (password) =>
      inTurn(() =>
        Bun.password.hash(normal(password), {
          algorithm: "argon2id",
          memoryCost: cost.memoryKib,
          timeCost: cost.passes,
        }),
      ),
    verify: (password, hash) =>
      inTurn(async () => {
        // An empty one is no password, and not compared by the library either.
        const isRight = await Bun.password.verify(normal(password) || "-", hash ?? nobody);
        return isRight && hash !== null;
      }),
  };
}

/** Throws `invalid` for what accounts cannot have as a password. */
export function checkPassword(password: string): void {
  const characters = Array.from(password).length;
  if (characters < PASSWORD_CHARACTERS_MIN || characters > PASSWORD_CHARACTERS_MAX) {
    throw new Problem(
      "invalid",
      `A password has ${PASSWORD_CHARACTERS_MIN} to ${PASSWORD_CHARACTERS_MAX} characters`,
    );
  }
  if (!password.isWellFormed()) {
    throw new Problem("invalid", "A password must be whole characters");
  }
}

/** Keyboards write the same character in several ways. */
function normal(password: string): string {
  return password.normalize("NFKC");
}

/** A hash that costs as much as any to compare with, and that no password is known to have. */
function hashOfNobody({ memoryKib, passes }: PasswordCost): string {
  return `$argon2id$v=19$m=${memoryKib},t=${passes},p=1$${"A".repeat(43)}$${"A".repeat(43)}`;
}
