/**
 * Retained messages: a tree by topic level, so that a subscription visits what matches it and no more. Bounded by count
 * and bytes. What changes goes to `changed`, which writes it behind.
 */
import { type MessageProperties, propertyBytes } from './message.ts';

export interface Retained {
  readonly topic: string;
  /** A copy: the publisher's buffer is a slice of a larger one. */
  readonly payload: Buffer;
  readonly qos: 0 | 1;
  readonly properties?: MessageProperties;
  /** Wall-clock milliseconds after which it is gone (MQTT 5, message expiry). */
  readonly expiresAt?: number;
}

interface Branch {
  children: Map<string, Branch> | undefined;
  message: Retained | undefined;
}

/** The entry itself, roughly; so that a million tiny messages do not count as nothing. */
const overheadBytes = 100;
/** Branches of the tree between two pauses of a search. */
const searchStep = 64;
const sizeOf = (message: Retained): number =>
  message.topic.length + message.payload.length + propertyBytes(message.properties) + overheadBytes;

export class RetainedMessages {
  private readonly root: Branch = { children: undefined, message: undefined };
  private readonly most: { readonly count: number; readonly bytes: number };
  private readonly changed: (topic: string, message: Retained | undefined) => void;
  count = 0;
  bytes = 0;
  refused = 0;

  constructor(
    most: { readonly count: number; readonly bytes: number },
    changed: (topic: string, message: Retained | undefined) => void = () => {},
  ) {
    this.most = most;
    this.changed = changed;
  }

  /**
   * @param always kept over the bounds: the supervisor's own, which are bounded by its nodes. Without them a node that
   * comes back would find no `want`, because somebody else filled the broker.
   * @returns whether it is kept; false where a bound is reached, and then an older message of the topic is gone too.
   */
  set(message: Retained, always = false): boolean {
    const levels = message.topic.split('/');
    const old = this.find(levels)?.message;
    const bytes = this.bytes + sizeOf(message) - (old ? sizeOf(old) : 0);
    const tooMany = bytes > this.most.bytes || (!old && this.count >= this.most.count);
    if (tooMany && !always) {
      this.refused++;
      // A copy that is out of date is worse than none.
      if (old) this.delete(message.topic);
      return false;
    }
    let branch = this.root;
    for (const level of levels) {
      branch.children ??= new Map();
      let next = branch.children.get(level);
      if (!next) {
        next = { children: undefined, message: undefined };
        branch.children.set(level, next);
      }
      branch = next;
    }
    branch.message = message;
    this.bytes = bytes;
    if (!old) this.count++;
    if (!old || !same(old, message)) this.changed(message.topic, message);
    return true;
  }

  delete(topic: string): void {
    this.prune(this.root, topic.split('/'), 0, topic);
  }

  get(topic: string): Retained | undefined {
    return this.find(topic.split('/'))?.message;
  }

  private find(levels: readonly string[]): Branch | undefined {
    let branch: Branch | undefined = this.root;
    for (const level of levels) branch = branch?.children?.get(level);
    return branch;
  }

  private prune(branch: Branch, levels: readonly string[], depth: number, topic: string): boolean {
    const level = levels[depth];
    if (level === undefined) {
      if (branch.message) {
        this.count--;
        this.bytes -= sizeOf(branch.message);
        branch.message = undefined;
        this.changed(topic, undefined);
      }
    } else {
      const child = branch.children?.get(level);
      if (child && this.prune(child, levels, depth + 1, topic)) branch.children?.delete(level);
      if (branch.children?.size === 0) branch.children = undefined;
    }
    return !branch.message && !branch.children;
  }

  /**
   * Walks what matches `filter`, lazily: what is set or cleared meanwhile is seen or not, what stays is seen once.
   * Undefined now and then says that much was searched in vain: a filter like `+/+/x` may look at everything there is.
   * @param now wall-clock milliseconds; expired messages are removed on the way.
   */
  *match(filter: string, now: () => number): Generator<Retained | undefined> {
    const levels = filter.split('/');
    const stack: { branch: Branch; depth: number }[] = [{ branch: this.root, depth: 0 }];
    let looked = 0;
    for (let top = stack.pop(); top; top = stack.pop()) {
      if (++looked % searchStep === 0) yield undefined;
      const { branch, depth } = top;
      const level = levels[depth];
      if (level === undefined || level === '#') {
        const message = branch.message;
        if (message?.expiresAt !== undefined && message.expiresAt <= now()) this.delete(message.topic);
        else if (message) yield message;
      }
      if (level === undefined || !branch.children) continue;
      if (level === '#') for (const child of branch.children.values()) stack.push({ branch: child, depth });
      else if (level === '+')
        for (const child of branch.children.values()) stack.push({ branch: child, depth: depth + 1 });
      else {
        const child = branch.children.get(level);
        if (child) stack.push({ branch: child, depth: depth + 1 });
      }
    }
  }
}

const same = (a: Retained, b: Retained): boolean =>
  a.qos === b.qos && a.expiresAt === b.expiresAt && !a.properties && !b.properties && a.payload.equals(b.payload);
