/**
 * From a payload on `hearth/job/<id>/set` to a job that can be run: all that can be wrong with it is said here, before
 * anything is kept. Pure; what has to be fetched (packages to pin, lines of artifacts) is named, and filled in after.
 */
import { createHash } from 'node:crypto';
import { check, decodeText, parseJson } from '../../shared/codec.ts';
import { type ContractError, fail, ok, type Result } from '../../shared/errors.ts';
import { anonymous, compileArray } from '../../shared/jobs/array.ts';
import { compileRun } from '../../shared/jobs/placeholders.ts';
import { isObject } from '../../shared/merge-patch.ts';
import { type JobArray, type JobDocument, jobDocument, jobLimits } from '../../shared/schemas/job.ts';
import { readTx } from '../desired/desired.ts';

export interface Submission {
  readonly document: JobDocument;
  /** Of what was sent: the same document has the same, in whatever order its keys stand. */
  readonly hash: string;
}

/** @param checkWhere of `where`, at submission. */
export function readSubmission(
  payload: Uint8Array,
  checkWhere: (where: string) => Result<unknown>,
): { readonly tx?: string; readonly submission: Result<Submission> } {
  if (payload.length === 0) {
    return { submission: fail('empty', 'an empty "set" is refused: send the job as a JSON object') };
  }
  const text = decodeText(payload);
  if (!text.ok) return { submission: text };
  const json = parseJson(text.value);
  if (!json.ok) return { submission: json };
  if (!isObject(json.value)) {
    return { submission: fail('schema', 'a job is a JSON object, such as {"run":"./solve {}","array":"1-100"}') };
  }
  const { tx, ...said } = json.value;
  const mark = readTx(tx);
  if (!mark.ok) return { submission: mark };
  const marked = mark.value === undefined ? {} : { tx: mark.value };
  const document = check(jobDocument, said) as Result<JobDocument>;
  if (!document.ok) return { ...marked, submission: document };
  const problem = whatIsWrong(document.value, checkWhere);
  if (problem) return { ...marked, submission: { ok: false, error: problem } };
  return { ...marked, submission: ok({ document: document.value, hash: hashOf(said, document.value.array) }) };
}

/** SHA-256 of the canonical JSON: keys sorted, no blanks. The order of an array's dimensions is that of the tasks: it counts. */
function hashOf(said: object, array: JobArray | undefined): string {
  const whole = array !== undefined && isSeveral(array) ? { ...said, array: Object.entries(array) } : said;
  return createHash('sha256').update(canonical(whole)).digest('hex');
}

/** As JSON.stringify, with the keys of objects in order. Nesting is bounded where it was parsed. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, inside]) => `${JSON.stringify(key)}:${canonical(inside)}`).join(',')}}`;
}

function whatIsWrong(document: JobDocument, checkWhere: (where: string) => Result<unknown>): ContractError | undefined {
  const { where, items = [], common, reduce } = document;
  const long = items.findIndex(item => isLong(item));
  if (long >= 0)
    return { code: 'too-large', message: `one item has at most ${jobLimits.value / 1024} kB`, at: `items.${long}` };
  if (isLong(common))
    return {
      code: 'too-large',
      message: `at most ${jobLimits.value / 1024} kB: put it into the artifact store, and name it in "inputs"`,
      at: 'common',
    };
  if (items.length > jobLimits.tasks)
    return { code: 'too-large', message: `at most ${jobLimits.tasks} tasks`, at: 'items' };
  const { agree, replicas } = document;
  if (agree !== undefined && replicas === 1)
    return { code: 'schema', message: 'says nothing without "replicas"', at: 'agree' };
  if (where !== undefined) {
    const compiled = checkWhere(where);
    if (!compiled.ok) return { ...compiled.error, at: 'where' };
  }
  // With lines that are not read yet there is more to be checked when they are.
  return checkValues(document) ?? checkRun(reduce?.run, [], document, 'reduce.run');
}

/** Array and placeholders. Lines that are not read yet stand for one value. */
export function checkValues(document: JobDocument): ContractError | undefined {
  const { array, items } = document;
  let names: readonly string[] = items ? [anonymous] : [];
  if (array !== undefined) {
    const compiled = compileArray(linesOf(array).length === 0 ? array : withLines(array, () => ['']));
    if (!compiled.ok) return compiled.error;
    names = compiled.value.names;
  }
  return checkRun(document.run, names, document, 'run');
}

function checkRun(
  run: string | readonly string[] | undefined,
  names: readonly string[],
  { inputs = {}, outputs = {} }: JobDocument,
  at: string,
): ContractError | undefined {
  if (run === undefined) return undefined;
  const compiled = compileRun(run, names, [...Object.keys(inputs), ...Object.keys(outputs)]);
  return compiled.ok ? undefined : { ...compiled.error, at };
}

const isLong = (value: unknown): boolean => {
  const bytes = typeof value === 'string' ? value.length : (JSON.stringify(value) ?? '').length;
  return bytes > jobLimits.value;
};

type Dimension = string | readonly (string | number)[] | { readonly lines: string };
const artifactOf = (dimension: Dimension): string | undefined =>
  isObject(dimension) && typeof dimension.lines === 'string' && dimension.lines.startsWith('artifact:')
    ? dimension.lines.slice('artifact:'.length)
    : undefined;

/** An array of one dimension, or several by name; a dimension may be called `lines`, too. */
const isSeveral = (array: JobArray): boolean => isObject(array) && artifactOf(array as Dimension) === undefined;

/** SHA-256 of the artifacts whose lines are values. */
export function linesOf(array: JobArray): readonly string[] {
  const dimensions = (isSeveral(array) ? Object.values(array) : [array]) as Dimension[];
  return [...new Set(dimensions.flatMap(one => artifactOf(one) ?? []))];
}

/** The array with the lines in it. */
export function withLines(array: JobArray, lines: (sha256: string) => readonly string[]): JobArray {
  const filled = (dimension: Dimension) => {
    const sha256 = artifactOf(dimension);
    return sha256 === undefined ? dimension : [...lines(sha256)];
  };
  if (!isSeveral(array)) return filled(array as Dimension) as JobArray;
  return Object.fromEntries(Object.entries(array).map(([name, one]) => [name, filled(one as Dimension)])) as JobArray;
}
