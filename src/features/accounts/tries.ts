import type { Attempts } from "../../http/attempts.ts";
import { Problem } from "../../http/problem.ts";
import type { Allowance } from "../../platform/rate.ts";

/** How often accounts may be made and renamed, and passwords tried. Each throws `rate_limited`. */
export interface Tries {
  /** Runs `attempt`, which answers null for a wrong password; right ones are allowed far more often. */
  login<T>(name: string, network: string, attempt: () => Promise<T | null>): Promise<T | null>;
  /** The same for the password of somebody who is signed in. */
  password<T>(userId: number, attempt: () => Promise<T | null>): Promise<T | null>;
  register(network: string): Promise<void>;
  rename(userId: number): Promise<void>;
}

/** From one network; wrong ones of a whole office come together. */
const OF_NETWORK: Allowance = { burst: 30, everyMs: 4_000 };
/** Of one name from one network: somebody who tries to remember, or to guess. */
const OF_NAME_THERE: Allowance = { burst: 10, everyMs: 30_000 };
/** Of one name from everywhere; more than one network can use up, which else would lock others out. */
const OF_NAME: Allowance = { burst: 100, everyMs: 2_000 };
/** Right ones, for comparing costs the same; more than a program that forgets its tokens needs. */
const RIGHT: Allowance = { burst: 60, everyMs: 5_000 };
const RENAMES: Allowance = { burst: 10, everyMs: 60_000 };
const REGISTRATIONS: Allowance = { burst: 30, everyMs: 30_000 };

/** A counter, and what it counts by. */
type Place = readonly [Attempts, string];

/** `count` makes a counter for what has that name. */
export function createTries(count: (name: string, allowance: Allowance) => Attempts): Tries {
  const ofNetwork = count("login.network", OF_NETWORK);
  const ofNameThere = count("login.name-there", OF_NAME_THERE);
  const ofName = count("login.name", OF_NAME);
  const right = count("password.right", RIGHT);
  const renames = count("rename", RENAMES);
  const registrations = count("register.network", REGISTRATIONS);

  const take = async (attempts: Attempts, key: string): Promise<void> => {
    const retryAfterMs = await attempts.take(key);
    if (retryAfterMs === 0) return;
    throw new Problem("rate_limited", "Too many attempts; try again later", { retryAfterMs });
  };

  /**
   * All are taken before, so that many at once are no way around, and given back afterwards but for
   * those of what came out. The right ones that are held meanwhile by wrong passwords lock nobody
   * out: fewer passwords are compared or wait at once than there are.
   */
  const counted = async <T>(
    account: string,
    wrong: readonly Place[],
    attempt: () => Promise<T | null>,
  ): Promise<T | null> => {
    const rights: readonly Place[] = [[right, account]];
    const taken: Place[] = [];
    let kept: readonly Place[] = [];
    try {
      for (const place of [...wrong, ...rights]) {
        await take(...place);
        taken.push(place);
      }
      const answer = await attempt();
      kept = answer === null ? wrong : rights;
      return answer;
    } finally {
      for (const place of taken) {
        const [attempts, key] = place;
        if (!kept.includes(place)) await attempts.giveBack(key);
      }
    }
  };

  return {
    login: (name, network, attempt) =>
      counted(
        name,
        [
          [ofNetwork, network],
          [ofNameThere, `${network} ${name}`],
          [ofName, name],
        ],
        attempt,
      ),
    // No name has a line end.
    password: (userId, attempt) => counted(`\n${userId}`, [[ofNameThere, `\n${userId}`]], attempt),
    register: (network) => take(registrations, network),
    rename: (userId) => take(renames, String(userId)),
  };
}
