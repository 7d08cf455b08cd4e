/**
 * What this folder does to the machine's files, each effect announced before it happens, so that a test may end the
 * process or fill the disk at any one of them. Effects are asynchronous: a slow disk never holds up the agent's loop.
 */
import { createHash } from 'node:crypto';
import { type BigIntStats, constants, existsSync } from 'node:fs';
import {
  type FileHandle,
  lchown,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  rename,
  rmdir,
  symlink,
  unlink,
  utimes,
} from 'node:fs/promises';
import { dirname } from 'node:path';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const chunk = 64 * 1024;

export type EffectKind =
  | 'create'
  | 'write'
  | 'chown'
  | 'chmod'
  | 'times'
  | 'sync'
  | 'sync-folder'
  | 'rename'
  | 'link'
  | 'symlink'
  | 'mkdir'
  | 'unlink'
  | 'rmdir';

/** Called before each effect; may throw an error that the effect then fails with. */
export type BeforeEffect = (kind: EffectKind, path: string) => void;

/** Where bytes come from: memory, or a regular file. */
export type Content = Buffer | { readonly file: string };

export interface Permissions {
  readonly mode: number;
  /** Undefined: whose it becomes by being made. */
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

/** A folder held open: `base` means that folder, whatever becomes of its name. */
export interface Pinned {
  readonly base: string;
  readonly stat: BigIntStats;
  close(): Promise<void>;
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

export class FileHost {
  /** Of the agent's process. */
  readonly uid = process.geteuid?.() ?? 0;
  /** Whether an open folder can be used as the beginning of a path (Linux's /proc/self/fd). */
  readonly pins = existsSync('/proc/self/fd');
  readonly #before: BeforeEffect;
  readonly #folderSyncs = new Map<string, Promise<void>>();

  constructor(before: BeforeEffect = () => {}) {
    this.#before = before;
  }

  get isRoot(): boolean {
    return this.uid === 0;
  }

  /** Undefined where there is nothing. Never follows a symlink at the end. */
  async lstat(path: string): Promise<BigIntStats | undefined> {
    try {
      return await lstat(path, { bigint: true });
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  readonly readdir = (path: string): Promise<string[]> => readdir(path);
  readonly readlink = (path: string): Promise<string> => readlink(path);

  /** A regular file, and nothing that is opened by opening it (a pipe, a device, a symlink). */
  async #openFile(path: string): Promise<FileHandle> {
    const handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
    throw Object.assign(new Error(`${path} is not a regular file`), { code: 'EINVAL' });
  }

  /** SHA-256 of a regular file, hex. */
  async hash(path: string): Promise<string> {
    const handle = await this.#openFile(path);
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(chunk);
    try {
      for (;;) {
        const { bytesRead } = await handle.read(buffer, 0, chunk);
        if (bytesRead === 0) return hash.digest('hex');
        hash.update(buffer.subarray(0, bytesRead));
      }
    } finally {
      await handle.close();
    }
  }

  /** A regular file of at most `most` bytes; undefined where it is larger. */
  async read(path: string, most: number): Promise<Buffer | undefined> {
    const handle = await this.#openFile(path);
    try {
      const bytes = Buffer.alloc(most + 1);
      let at = 0;
      for (;;) {
        const { bytesRead } = await handle.read(bytes, at, bytes.length - at);
        at += bytesRead;
        if (at > most) return undefined;
        if (bytesRead === 0) return bytes.subarray(0, at);
      }
    } finally {
      await handle.close();
    }
  }

  /** Opens a folder that is itself no symlink. */
  async pin(path: string): Promise<Pinned> {
    const handle = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    const stat = await handle.stat({ bigint: true });
    return { base: this.pins ? `/proc/self/fd/${handle.fd}` : path, stat, close: () => handle.close() };
  }

  /** Makes a new file, whole and on stable storage, or none at all. */
  async create(path: string, content: Content, permissions: Permissions, durable = true): Promise<BigIntStats> {
    this.#before('create', path);
    const handle = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      if (Buffer.isBuffer(content)) await this.#write(handle, path, content);
      else await this.#copy(handle, path, content.file);
      await this.#allow(handle, path, permissions);
      if (durable) {
        this.#before('sync', path);
        await handle.sync();
      }
      return await handle.stat({ bigint: true });
    } catch (error) {
      await unlink(path).catch(() => {});
      throw error;
    } finally {
      await handle.close();
    }
  }

  /** A new file for what comes in pieces; the caller closes it, and removes it where that fails. */
  async openNew(
    path: string,
  ): Promise<{ write(bytes: Buffer): Promise<void>; close(mode: Permissions): Promise<void> }> {
    this.#before('create', path);
    const handle = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    return {
      write: bytes => this.#write(handle, path, bytes),
      close: async permissions => {
        try {
          await this.#allow(handle, path, permissions);
        } finally {
          await handle.close();
        }
      },
    };
  }

  async #write(handle: FileHandle, path: string, bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      this.#before('write', path);
      at += (await handle.write(bytes, at, Math.min(chunk, bytes.length - at))).bytesWritten;
    }
  }

  async #copy(to: FileHandle, path: string, from: string): Promise<void> {
    const handle = await this.#openFile(from);
    const buffer = Buffer.allocUnsafe(chunk);
    try {
      for (;;) {
        const { bytesRead } = await handle.read(buffer, 0, chunk);
        if (bytesRead === 0) return;
        await this.#write(to, path, buffer.subarray(0, bytesRead));
      }
    } finally {
      await handle.close();
    }
  }

  async #allow(handle: FileHandle, path: string, { mode, uid, gid }: Permissions): Promise<void> {
    const now = await handle.stat();
    if ((uid !== undefined && uid !== now.uid) || (gid !== undefined && gid !== now.gid)) {
      this.#before('chown', path);
      await handle.chown(uid ?? now.uid, gid ?? now.gid);
    }
    this.#before('chmod', path);
    await handle.chmod(mode);
  }

  /** Of a folder. */
  async allowFolder(path: string, permissions: Permissions): Promise<void> {
    const handle = await open(path, O_RDONLY | O_DIRECTORY | (path.startsWith('/proc/self/fd/') ? 0 : O_NOFOLLOW));
    try {
      await this.#allow(handle, path, permissions);
    } finally {
      await handle.close();
    }
  }

  /** Writes a file of the agent's own folder anew: beside, synced, renamed over. */
  async replace(path: string, text: string): Promise<void> {
    const beside = `${path}.new`;
    await unlink(beside).catch(() => {});
    await this.create(beside, Buffer.from(text), { mode: 0o600, uid: undefined, gid: undefined });
    await this.rename(beside, path);
    await this.syncFolder(dirname(path));
  }

  /** What was made, renamed or removed in a folder is on stable storage. Calls of one turn are one effect. */
  syncFolder(path: string): Promise<void> {
    const queued = this.#folderSyncs.get(path);
    if (queued) return queued;
    const sync = new Promise(resolve => setImmediate(resolve)).then(async () => {
      this.#folderSyncs.delete(path);
      this.#before('sync-folder', path);
      const handle = await open(path, O_RDONLY | O_DIRECTORY);
      await handle.sync().finally(() => handle.close());
    });
    this.#folderSyncs.set(path, sync);
    return sync;
  }

  async rename(from: string, to: string): Promise<void> {
    this.#before('rename', to);
    await rename(from, to);
  }

  /** A second name of the same file. */
  async link(from: string, to: string): Promise<void> {
    this.#before('link', to);
    await link(from, to);
  }

  async symlink(target: string, path: string, uid?: number, gid?: number): Promise<void> {
    this.#before('symlink', path);
    await symlink(target, path);
    if (uid === undefined || gid === undefined) return;
    this.#before('chown', path);
    await lchown(path, uid, gid);
  }

  async mkdir(path: string, mode: number): Promise<void> {
    this.#before('mkdir', path);
    await mkdir(path, { mode });
  }

  /** Nothing there is fine. */
  async unlink(path: string): Promise<void> {
    this.#before('unlink', path);
    await unlink(path).catch(error => {
      if (codeOf(error) !== 'ENOENT') throw error;
    });
  }

  /** @returns false where it is not empty, or no folder. */
  async rmdir(path: string): Promise<boolean> {
    this.#before('rmdir', path);
    try {
      await rmdir(path);
      return true;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return true;
      if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'EBUSY', 'EACCES', 'EPERM'].includes(codeOf(error) ?? '')) return false;
      throw error;
    }
  }

  async times(path: string, stat: BigIntStats): Promise<void> {
    this.#before('times', path);
    await utimes(path, Number(stat.atimeMs) / 1000, Number(stat.mtimeNs / 1000n) / 1e6);
  }
}
