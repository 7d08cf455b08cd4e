/** What a person typed after `hearth set <node>`: the key and where the value comes from. Pure, but for reading. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits } from '../shared/limits.ts';
import { printable } from '../shared/names.ts';
import { parseTopic } from '../shared/topics.ts';
import { UserError } from '../shared/user-error.ts';

/** `services.hello.run` or `services/hello/run`; with a slash dots stand for themselves, `.` is the whole document. */
export function keyLevels(key: string): readonly string[] {
  if (key === '.' || key === '/') return [];
  const levels = key.includes('/') ? key.replace(/^\/|\/$/g, '').split('/') : key.split('.');
  if (levels.some(level => level === '')) {
    throw new UserError(`"${printable(key)}" is no key: write it as services.hello or services/hello.`, 2);
  }
  return levels;
}

/** The topic, checked by the same grammar that the supervisor uses. */
export function setTopic(base: string, node: string, levels: readonly string[]): string {
  const topic = [base, 'node', node, 'set', ...levels].join('/');
  const parsed = parseTopic(topic, base);
  if (!parsed.ok) throw new UserError(`${parsed.error.message}.`, 2);
  if (parsed.value.kind === 'noun' && parsed.value.target.kind !== 'one') {
    throw new UserError(`"${printable(node)}" is a group of nodes: documents are set one node at a time for now.`);
  }
  return topic;
}

/** A value and how to give it back to whoever typed it. */
export interface Value {
  readonly bytes: Buffer;
  /** Typed on standard input: nowhere else to be found again. */
  readonly typed: boolean;
}

/** `@file`, `-` for standard input, `@@text` for a text that begins with `@`, and anything else as it stands. */
export async function readValueArgument(argument: string): Promise<Value> {
  if (argument === '-') return { bytes: await readAll(process.stdin), typed: true };
  if (argument.startsWith('@@')) return { bytes: Buffer.from(argument.slice(1)), typed: false };
  if (!argument.startsWith('@')) return { bytes: Buffer.from(argument), typed: false };
  const file = argument.slice(1);
  try {
    return { bytes: readFileSync(file), typed: false };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`;
    throw new UserError(`${argument}: ${why}. For a text that begins with "@" write "@@${printable(file)}".`);
  }
}

async function readAll(stream: AsyncIterable<Buffer | string>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    // Read on to twice what can be sent: the person gets it back whole, and a pipe from /dev/zero ends.
    if (size > 2 * limits.message) throw new UserError(`Standard input is longer than ${limits.message} bytes.`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

const shortEcho = 2000;

/** Text that gives the value back: in the sentence where it is short, in a file where it was typed and is long. */
export function giveBack(value: Value): string {
  const text = value.bytes.toString();
  if (text.length <= shortEcho && !text.includes('\u0000')) return `What you sent: ${text.replace(/\n$/, '')}`;
  if (!value.typed) return `What you sent was ${value.bytes.length} bytes: ${printable(text, 200)}`;
  const file = join(mkdtempSync(join(tmpdir(), 'hearth-set-')), 'value');
  writeFileSync(file, value.bytes, { mode: 0o600 });
  return `What you typed is kept in ${file}.`;
}
