/** Whoever works on what an inbox holds. */
export interface InboxOwner {
  /** Must not reject. */
  work(message: string | Uint8Array): Promise<void>;
  /** Stops reading from the socket; what was on its way may still arrive. */
  pause(): void;
  resume(): void;
  /** More waits than there is room for. */
  overflow(): void;
}

type Turn = () => Promise<void>;

interface Waiting {
  message: string | Uint8Array | Turn;
  bytes: number;
}

/** Messages that wait their turn; past either, reading stops until they are done. */
const MESSAGES_MAX = 64;
const BYTES_MAX = 1024 * 1024;
/** What may still arrive after reading was stopped; past it the owner is told of an overflow. */
const SLACK_BYTES = 16 * 1024 * 1024;

/** Messages of one socket in a row; then other sockets have their turn. */
const TURN_MESSAGES = 16;

/** Works on a socket's messages one after the other, in the order they came. */
export class Inbox {
  /** Made when something has to wait, gone when nothing does: most sockets are idle. */
  private waiting: Waiting[] | null = null;
  private bytes = 0;
  private inARow = 0;
  private isPaused = false;

  constructor(private readonly owner: InboxOwner) {}

  take(message: string | Uint8Array | Turn, bytes: number): void {
    this.bytes += bytes;
    if (this.waiting === null) {
      this.waiting = [{ message, bytes }];
      void this.workAll(this.waiting);
      return;
    }
    this.waiting.push({ message, bytes });
    const isFull = this.waiting.length > MESSAGES_MAX || this.bytes > BYTES_MAX;
    if (isFull && !this.isPaused) {
      this.isPaused = true;
      this.owner.pause();
    }
    if (this.bytes > SLACK_BYTES) this.owner.overflow();
  }

  /** Runs `turn`, which must not reject, when everything before it is done. */
  after(turn: Turn): Promise<void> {
    return new Promise((resolve) => this.take(() => turn().then(resolve), 0));
  }

  /** Forgets the messages that wait; what was asked for by `after` is still done. */
  clear(): void {
    if (this.waiting === null) return;
    const turns = this.waiting.filter(({ message }) => typeof message === "function");
    this.waiting.splice(0, this.waiting.length, ...turns);
    this.bytes = 0;
  }

  private async workAll(waiting: Waiting[]): Promise<void> {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { message, bytes } = next;
      await (typeof message === "function" ? message() : this.owner.work(message));
      this.bytes = Math.max(0, this.bytes - bytes);
      if (this.isPaused && waiting.length < MESSAGES_MAX / 2) {
        this.isPaused = false;
        this.owner.resume();
      }
      // Also when nothing waits yet: what one read from the socket brings comes right behind.
      if (++this.inARow >= TURN_MESSAGES) {
        await nextTurn();
        this.inARow = 0;
      }
    }
    this.waiting = null;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
