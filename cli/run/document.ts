/** From the options of `hearth run` to the job's document. What lies in files here is brought to the artifact store. */
import { basename, resolve } from 'node:path';
import type { JobInput } from '../../client/work.ts';
import { sentence } from '../../shared/errors.ts';
import { anonymous } from '../../shared/jobs/array.ts';
import { type CompiledRun, compileRun } from '../../shared/jobs/placeholders.ts';
import { nearest, printable } from '../../shared/names.ts';
import { jobLimits, policies } from '../../shared/schemas/job.ts';
import { UserError } from '../../shared/user-error.ts';
import type { RunFlags } from './flags.ts';
import { atLeast, megabytes, pairs, seconds, whole } from './reading.ts';
import { readSmall, readText, type TaskValues } from './values.ts';

/** What is brought to the artifact store before a job is sent. @returns `artifact:SHA256`. */
export interface Bringing {
  file(path: string): Promise<string>;
  text(name: string, text: string): Promise<string>;
}

/** Lists whose JSON is longer travel as artifacts: a message has 256 kB. */
const mostListBytes = 96 * 1024;
const mostItemBytes = 200 * 1024;

/** A command of one word with anything in it that a shell reads is a script; several words are a program and arguments. */
export function runOf(words: readonly string[], shell: boolean): string | readonly string[] {
  const [first = ''] = words;
  if (shell || (words.length === 1 && /[\s|&;<>()$`\\"'*?~#]/.test(first.replaceAll('{#}', ''))))
    return words.join(' ');
  return words;
}

/** The command is checked here, before anything is brought or sent. @throws UserError */
export function checkedRun(run: string | readonly string[], names: readonly string[], flags: RunFlags): CompiledRun {
  const files = [...pairs(flags.input, '--input'), ...pairs(flags.output, '--output')].map(([name]) => name);
  const compiled = compileRun(run, names, files);
  if (compiled.ok) return compiled.value;
  throw new UserError(`The command: ${sentence(compiled.error).replace(/^run: /, '')}.`, 2);
}

/** @param values of the tasks that are to be run. */
export async function documentOf(
  words: readonly string[],
  flags: RunFlags,
  values: TaskValues,
  bring: Bringing,
): Promise<JobInput> {
  const document = {
    ...(await workOf(words, flags)),
    ...(await valuesOf(values, flags, bring)),
    common: flags.common === undefined ? undefined : await commonOf(flags.common),
    stdin: flags.stdin === undefined ? undefined : await readSmall(flags.stdin, '--stdin', jobLimits.value),
    env: envOf(flags.env),
    cwd: cwdOf(words, flags),
    inputs: await inputsOf(flags.input, bring),
    outputs: flags.output === undefined ? undefined : Object.fromEntries(pairs(flags.output, '--output')),
    where: flags.where,
    policy: policyOf(flags.policy),
    class: classOf(flags),
    priority: whole(flags.priority, '--priority', -100, 100),
    deadline_s: seconds(flags.deadline, '--deadline'),
    timeout_s: seconds(flags.timeout, '--timeout'),
    // As with other programs that run commands: what fails is said, and not done again unasked.
    retries: whole(flags.retries, '--retries', 0, 100) ?? 0,
    needs: flags.needs?.flatMap(text => text.split(',')),
    reduce: reduceOf(flags),
    max_parallel: atLeast(flags.jobs, '--jobs', 1),
    cpus: atLeast(flags.cpus, '--cpus', 1),
    mem_mb: megabytes(flags.mem, '--mem'),
    replicas: whole(flags.replicas, '--replicas', 1, 7),
    agree: whole(flags.agree, '--agree', 1, 7),
    speculate: flags.speculate,
    paused: flags.explain,
    keep_h: flags.explain ? 0 : undefined,
  };
  return Object.fromEntries(Object.entries(document).filter(([, value]) => value !== undefined)) as JobInput;
}

async function workOf(words: readonly string[], flags: RunFlags): Promise<object> {
  const said: string[] = [];
  if (words.length > 0) said.push('a command');
  for (const key of ['plugin', 'package', 'code'] as const) if (flags[key] !== undefined) said.push(`--${key}`);
  const [only, ...more] = said;
  if (only === undefined) throw new UserError('What is to be run? Give a command, --plugin, --package or --code.', 2);
  if (more.length > 0) throw new UserError(`Only one of ${[only, ...more].join(' and ')} can be run.`, 2);
  if (words.length > 0) return { run: runOf(words, flags.shell === true) };
  if (flags.plugin !== undefined) return { plugin: flags.plugin };
  if (flags.package !== undefined) {
    return { package: flags.package, main: flags.main, scripts: flags.scripts };
  }
  const code = await readSmall(flags.code ?? '', '--code', jobLimits.code);
  return { code, grant: flags.net ? { net: true } : undefined };
}

async function valuesOf({ dimensions, items }: TaskValues, flags: RunFlags, bring: Bringing) {
  if (items) {
    const long = Buffer.byteLength(JSON.stringify(items)) > mostItemBytes;
    if (!long) return { items };
    // A command gets the same text as a line; other work would get texts instead of what they say.
    const texts = items.map(item => (typeof item === 'string' ? item : JSON.stringify(item)));
    if (flags.plugin ?? flags.package ?? flags.code ?? texts.find(text => text.includes('\n'))) {
      throw new UserError(
        '--items: that is too much for one job: make several files of it, or use the client library.',
      );
    }
    return { array: await listOf(texts, 'items', bring) };
  }
  if (!dimensions) return {};
  const sent: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(dimensions)) {
    sent[name] = typeof value === 'string' ? value : await listOf(value, name, bring);
  }
  const [only, ...more] = Object.keys(sent);
  return { array: only === anonymous && more.length === 0 ? sent[only] : sent };
}

async function listOf(list: readonly string[], name: string, bring: Bringing) {
  if (Buffer.byteLength(JSON.stringify(list)) <= mostListBytes) return list;
  return { lines: await bring.text(`${name}.txt`, `${list.join('\n')}\n`) };
}

async function commonOf(text: string): Promise<unknown> {
  const said = text.startsWith('@') ? await readText(text.slice(1), '--common', mostItemBytes) : text;
  try {
    return JSON.parse(said);
  } catch {
    throw new UserError(`--common: "${printable(said)}" is not JSON (a text goes in quotes: '"text"').`, 2);
  }
}

function envOf(said: readonly string[] | undefined): Record<string, string> | undefined {
  if (said === undefined) return undefined;
  const env: Record<string, string> = {};
  for (const text of said) {
    const at = text.indexOf('=');
    const name = at < 0 ? text : text.slice(0, at);
    const value = at < 0 ? process.env[name] : text.slice(at + 1);
    if (value === undefined) throw new UserError(`--env: there is no variable ${printable(name)} here.`, 2);
    env[name] = value;
  }
  return env;
}

/** Who says `./solve` means a program of this folder. */
function cwdOf([first = '']: readonly string[], { cwd, shell }: RunFlags): string | undefined {
  if (cwd !== undefined) return resolve(cwd);
  return !shell && /^\.\.?\//.test(first) ? process.cwd() : undefined;
}

async function inputsOf(said: readonly string[] | undefined, bring: Bringing) {
  if (said === undefined) return undefined;
  const inputs: Record<string, string> = {};
  for (const [name, value] of pairs(said, '--input')) {
    inputs[name] = /^artifact:[0-9a-f]{64}$/.test(value) ? value : await bring.file(value);
  }
  return inputs;
}

function classOf({ class: said, heat }: RunFlags): string | undefined {
  if (said === undefined) return heat ? 'heat' : undefined;
  if (said !== 'batch' && said !== 'heat') {
    throw new UserError(`--class: "${printable(said)}" is none: use batch or heat`, 2);
  }
  if (heat && said !== 'heat') throw new UserError(`Say "--class ${said}" or "--heat", not both`, 2);
  return said;
}

function policyOf(said: string | undefined): string | undefined {
  if (said === undefined || (policies as readonly string[]).includes(said)) return said;
  const near = nearest(said, policies);
  const hint = near === undefined ? `use ${policies.join(', ')}` : `did you mean "${near}"?`;
  throw new UserError(`--policy: "${printable(said)}" is none: ${hint}`, 2);
}

function reduceOf({ reduceRun, reducePlugin, fanIn }: RunFlags) {
  const fan_in = whole(fanIn, '--fan-in', 2, 1000);
  const more = fan_in === undefined ? {} : { fan_in };
  if (reduceRun !== undefined && reducePlugin !== undefined) {
    throw new UserError('Only one of --reduce-run and --reduce-plugin can be.', 2);
  }
  if (reduceRun !== undefined) return { run: reduceRun, ...more };
  return reducePlugin === undefined ? undefined : { plugin: reducePlugin, ...more };
}

/** The command of one task, for people: as a shell would take it. @param seq its number, from 1. */
export function commandText(
  run: CompiledRun | undefined,
  values: TaskValues,
  flags: RunFlags,
  index: number,
  seq = index + 1,
): string {
  const paths = Object.fromEntries(
    [...pairs(flags.input, '--input'), ...pairs(flags.output, '--output')].map(([name, path]) => [
      name,
      basename(path),
    ]),
  );
  const at = values.at(index);
  if (run === undefined) {
    const what = flags.plugin ?? flags.package ?? flags.code ?? '';
    return [what, ...Object.values(at)].join(' ');
  }
  const made = run.kind === 'script' ? run.script(at, paths, seq - 1) : run.argv(at, paths, seq - 1);
  if (!made.ok) return `(${made.error.message})`;
  return typeof made.value === 'string' ? made.value : made.value.map(quoted).join(' ');
}

const quoted = (word: string): string =>
  /^[A-Za-z0-9_./:=,%+@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
