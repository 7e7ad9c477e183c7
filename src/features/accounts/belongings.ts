/** What belongs to accounts and is kept elsewhere. */
export interface Belongings {
  /** Everything of one kind that a user has, a page at a time, as it is told outside. */
  read(userId: number): AsyncIterable<readonly object[]>;
  /** Removes it for good, in short transactions; again after a crash is no error. */
  erase(userId: number): Promise<void>;
}

/** By the name that it has in an export. */
export type AllBelongings = Readonly<Record<string, Belongings>>;
