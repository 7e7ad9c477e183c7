import type { Allowance, Attempts } from "../../http/attempts.ts";
import { Problem } from "../../http/problem.ts";

/** How often accounts may be made, and passwords tried that are wrong. Each throws `rate_limited`. */
export interface Tries {
  /** Runs `attempt`, which answers null for a wrong password; what is right does not count. */
  login<T>(name: string, network: string, attempt: () => Promise<T | null>): Promise<T | null>;
  /** The same for the password of somebody who is signed in. */
  password<T>(userId: number, attempt: () => Promise<T | null>): Promise<T | null>;
  register(network: string): Promise<void>;
}

/** From one network; wrong ones of a whole office come together. */
const OF_NETWORK: Allowance = { burst: 30, everyMs: 4_000 };
/** Of one name from one network: somebody who tries to remember, or to guess. */
const OF_NAME_THERE: Allowance = { burst: 10, everyMs: 30_000 };
/** Of one name from everywhere; more than one network can use up, which else would lock others out. */
const OF_NAME: Allowance = { burst: 100, everyMs: 2_000 };
const REGISTRATIONS: Allowance = { burst: 30, everyMs: 30_000 };

/** `count` makes a counter for what has that name. */
export function createTries(count: (name: string, allowance: Allowance) => Attempts): Tries {
  const ofNetwork = count("login.network", OF_NETWORK);
  const ofNameThere = count("login.name-there", OF_NAME_THERE);
  const ofName = count("login.name", OF_NAME);
  const registrations = count("register.network", REGISTRATIONS);

  const take = async (attempts: Attempts, key: string): Promise<void> => {
    const retryAfterMs = await attempts.take(key);
    if (retryAfterMs === 0) return;
    throw new Problem("rate_limited", "Too many attempts; try again later", { retryAfterMs });
  };

  /** Taken before, so that many at once are no way around; given back unless a wrong password was looked at. */
  const counted = async <T>(
    places: readonly [Attempts, string][],
    attempt: () => Promise<T | null>,
  ): Promise<T | null> => {
    const taken: [Attempts, string][] = [];
    let isWrong = false;
    try {
      for (const place of places) {
        await take(...place);
        taken.push(place);
      }
      const answer = await attempt();
      isWrong = answer === null;
      return answer;
    } finally {
      if (!isWrong) for (const [attempts, key] of taken) await attempts.giveBack(key);
    }
  };

  return {
    login: (name, network, attempt) =>
      counted(
        [
          [ofNetwork, network],
          [ofNameThere, `${network} ${name}`],
          [ofName, name],
        ],
        attempt,
      ),
    // No name has a line end.
    password: (userId, attempt) => counted([[ofNameThere, `\n${userId}`]], attempt),
    register: (network) => take(registrations, network),
  };
}
