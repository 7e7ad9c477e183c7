import { siteOf } from "../../http/address.ts";
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
/**
 * From all networks of one site, which with IPv6 are its customer's to choose from: twice a network's,
 * for some carriers keep their customers in one.
 */
const OF_SITE: Allowance = { burst: 60, everyMs: 2_000 };
/** Of one name from one site; past it there are still most of the name's own. */
const OF_NAME_SITE: Allowance = { burst: 20, everyMs: 15_000 };
/** Of one name from everywhere; more than one site can use up, which else would lock others out. */
const OF_NAME: Allowance = { burst: 100, everyMs: 2_000 };
/**
 * Keeps in mind from which networks a name has come in. Who has many sites can still use up `OF_NAME`,
 * and a site's; the name's owner comes in nevertheless from a known network, where only what is used up
 * in that network itself counts. A right password takes all of this, so that a network with nothing left
 * is a known one, for 30 days after the last time. Looking takes one and gives it back: there are more
 * than `OF_NAME_THERE` lets look at once, who else would be taken for known by each other.
 */
const KNOWN: Allowance = { burst: OF_NAME_THERE.burst + 1, everyMs: 30 * 86_400_000 };
/** Right ones, for comparing costs the same; more than a program that forgets its tokens needs. */
const RIGHT: Allowance = { burst: 60, everyMs: 5_000 };
const RENAMES: Allowance = { burst: 10, everyMs: 60_000 };
const REGISTRATIONS: Allowance = { burst: 30, everyMs: 30_000 };

/** A counter, and what it counts by. */
interface Place {
  attempts: Attempts;
  key: string;
  /** Who is let through when nothing is left there. */
  isSpared?(): Promise<boolean>;
}

/** `count` makes a counter for what has that name. */
export function createTries(count: (name: string, allowance: Allowance) => Attempts): Tries {
  const ofNetwork = count("login.network", OF_NETWORK);
  const ofSite = count("login.site", OF_SITE);
  const ofNameThere = count("login.name-there", OF_NAME_THERE);
  const ofNameSite = count("login.name-site", OF_NAME_SITE);
  const ofName = count("login.name", OF_NAME);
  const known = count("login.known", KNOWN);
  const right = count("password.right", RIGHT);
  const renames = count("rename", RENAMES);
  const registrations = count("register.network", REGISTRATIONS);

  /** Whether there was one to take. Throws `rate_limited` when not, but for who is spared. */
  const take = async ({ attempts, key, isSpared }: Place): Promise<boolean> => {
    const retryAfterMs = await attempts.take(key);
    if (retryAfterMs === 0) return true;
    if (await isSpared?.()) return false;
    throw new Problem("rate_limited", "Too many attempts; try again later", { retryAfterMs });
  };

  const isKnown = async (key: string): Promise<boolean> => {
    if ((await known.take(key)) > 0) return true;
    await known.giveBack(key);
    return false;
  };

  /** Counts that are not kept, without limits, never come to an end. */
  const makeKnown = async (key: string): Promise<void> => {
    for (let taken = 0; taken < KNOWN.burst; taken++) {
      if ((await known.take(key)) > 0) return;
    }
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
    const rights: readonly Place[] = [{ attempts: right, key: account }];
    const taken: Place[] = [];
    let kept: readonly Place[] = [];
    try {
      for (const place of [...wrong, ...rights]) {
        if (await take(place)) taken.push(place);
      }
      const answer = await attempt();
      kept = answer === null ? wrong : rights;
      return answer;
    } finally {
      for (const place of taken) {
        if (!kept.includes(place)) await place.attempts.giveBack(place.key);
      }
    }
  };

  return {
    login: async (name, network, attempt) => {
      const site = siteOf(network);
      const there = `${network} ${name}`;
      const isSpared = (): Promise<boolean> => isKnown(there);
      const wrong: readonly Place[] = [
        { attempts: ofNetwork, key: network },
        { attempts: ofNameThere, key: there },
        { attempts: ofSite, key: site, isSpared },
        { attempts: ofNameSite, key: `${site} ${name}`, isSpared },
        { attempts: ofName, key: name, isSpared },
      ];
      const answer = await counted(name, wrong, attempt);
      if (answer !== null) await makeKnown(there);
      return answer;
    },
    // No name has a line end.
    password: (userId, attempt) => {
      const key = `\n${userId}`;
      return counted(key, [{ attempts: ofNameThere, key }], attempt);
    },
    register: async (network) => void (await take({ attempts: registrations, key: network })),
    rename: async (userId) => void (await take({ attempts: renames, key: String(userId) })),
  };
}
