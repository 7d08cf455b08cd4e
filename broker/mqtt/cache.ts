/**
 * What the broker keeps over a restart, in LevelDB: retained messages (`r/<topic>`) and the subscriptions of clients
 * that asked for it (`s/<client id>`). Written behind: the first change at once, what follows together. Not synced: it
 * survives the end of the process at any moment, and a power cut costs what the operating system had not written yet.
 * It is a cache: one that is damaged is thrown away, and the journal is the truth. What could not be written is written
 * later, after it was opened again: LevelDB's log may end in half a record then, and what comes behind would be lost.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import type { Log } from '../../shared/log.ts';

/** Between two batches, so that a value that changes all the time is written now and then. */
const pauseMs = 50;
/** The same while the disk refuses. */
const retryMs = 1000;
/** Changes that wait for a disk that refuses: as many values as the broker keeps in memory, and as many deletions. */
const mostWaiting = 400_000;

type Database = ClassicLevel<string, Buffer>;

export class BrokerCache {
  private readonly level: Database;
  private readonly log: Log;
  private changes = new Map<string, Buffer | undefined>();
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> | undefined;
  private closed = false;
  private torn = false;
  failures = 0;

  private constructor(level: Database, log: Log) {
    this.level = level;
    this.log = log;
  }

  static async open(folder: string, log: Log): Promise<BrokerCache> {
    const path = join(folder, 'mqtt');
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const options = { keyEncoding: 'utf8', valueEncoding: 'buffer' } as const;
    const level: Database = new ClassicLevel<string, Buffer>(path, options);
    try {
      await level.open();
      return new BrokerCache(level, log);
    } catch (error) {
      const cause = (error as { cause?: { code?: string; message?: string } }).cause;
      if (cause?.code === 'LEVEL_LOCKED') {
        throw new Error(`another supervisor is using ${path}: stop it, or choose another data folder with --data`);
      }
      log.warn({ path, why: cause?.message }, 'the cache of retained messages cannot be read and is started anew');
      rmSync(path, { recursive: true, force: true });
      const fresh: Database = new ClassicLevel<string, Buffer>(path, options);
      await fresh.open();
      return new BrokerCache(fresh, log);
    }
  }

  /** Every entry below `prefix`, the prefix cut off. */
  async read(prefix: string, entry: (key: string, value: Buffer) => void): Promise<void> {
    // Not "prefix and \uffff": characters beyond the basic plane, such as emoji, come after that one.
    const last = prefix.length - 1;
    const end = prefix.slice(0, last) + String.fromCharCode(prefix.charCodeAt(last) + 1);
    for await (const [key, value] of this.level.iterator({ gte: prefix, lt: end })) {
      entry(key.slice(prefix.length), value);
    }
  }

  /** Undefined deletes. One change per key waits: values are bounded by what the caller keeps in memory. */
  write(key: string, value: Buffer | undefined): void {
    if (this.closed) return;
    this.changes.set(key, value);
    if (this.changes.size > mostWaiting) this.forgetDeletions();
    if (!this.timer && !this.writing) this.flush();
  }

  /** Changes not on the disk yet. */
  get waiting(): number {
    return this.changes.size;
  }

  /** Of topics that come and go without end, few were ever on the disk. */
  private forgetDeletions(): void {
    for (const [key, value] of this.changes) if (value === undefined) this.changes.delete(key);
  }

  private flush(): void {
    this.timer = undefined;
    if (this.changes.size === 0) return;
    // In the next turn, so that the changes of this one go together.
    this.writing = new Promise<void>(resolve => setImmediate(resolve))
      .then(() => this.writeChanges())
      .catch((error: Error) => {
        // Said once: a full disk would say it for every message.
        if (this.failures++ === 0) this.log.error({ why: error.message }, 'retained messages cannot be written');
      })
      .then(() => {
        this.writing = undefined;
        if (!this.closed) this.timer = setTimeout(() => this.flush(), this.torn ? retryMs : pauseMs);
      });
  }

  private async writeChanges(): Promise<void> {
    if (this.torn) {
      await this.level.close();
      await this.level.open();
      this.torn = false;
    }
    const changes = this.changes;
    this.changes = new Map();
    try {
      await this.level.batch(
        [...changes].map(([key, value]) =>
          value ? { type: 'put' as const, key, value } : { type: 'del' as const, key },
        ),
      );
    } catch (error) {
      this.torn = true;
      // What came meanwhile is newer.
      this.changes = new Map([...changes, ...this.changes]);
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.timer);
    await this.writing;
    this.flush();
    await this.writing;
    await this.level.close();
  }
}
