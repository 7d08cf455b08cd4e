/** What is fetched once, when a job comes: the lines that are its values, and the very versions of its packages. */
import { type ContractError, fail, ok, type Result, sentence } from '../../shared/errors.ts';
import type { JobDocument, Pin } from '../../shared/schemas/job.ts';
import { checkValues, linesOf, withLines } from './submission.ts';

/** An exact version, as `npm:NAME@1.2.3` or `artifact:SHA256`. */
export interface PinnedPackage extends Pin {
  readonly package: string;
}

export interface AcceptanceParts {
  /** The lines of an artifact; absent: there is no store here. */
  readonly lines?: ((sha256: string) => Promise<Result<readonly string[]>>) | undefined;
  readonly pin?: ((spec: string) => Promise<Result<PinnedPackage>>) | undefined;
}

/** Whether anything has to be fetched at all. */
export const isWhole = ({ array, package: spec, reduce }: JobDocument): boolean =>
  spec === undefined && reduce?.package === undefined && (array === undefined || linesOf(array).length === 0);

/** Never rejects. */
export async function completed(document: JobDocument, parts: AcceptanceParts): Promise<Result<JobDocument>> {
  try {
    const filled = await filledIn(document, parts);
    if (!filled.ok) return filled;
    const pinned = await pinnedIn(filled.value, parts);
    if (!pinned.ok) return pinned;
    const { reduce } = pinned.value;
    if (reduce === undefined) return pinned;
    const below = await pinnedIn(reduce, parts);
    return below.ok ? ok({ ...pinned.value, reduce: below.value }) : at('reduce', below.error);
  } catch (error) {
    return fail('not-available', `what it names could not be read: ${(error as Error).message}`);
  }
}

async function filledIn(document: JobDocument, parts: AcceptanceParts): Promise<Result<JobDocument>> {
  const { array } = document;
  if (array === undefined) return ok(document);
  const read = new Map<string, readonly string[]>();
  for (const sha256 of linesOf(array)) {
    if (!parts.lines) return fail('not-available', 'there is no artifact store here to read lines from', 'array');
    const lines = await parts.lines(sha256);
    if (!lines.ok) return at('array', lines.error);
    read.set(sha256, lines.value);
  }
  if (read.size === 0) return ok(document);
  const filled = { ...document, array: withLines(array, sha256 => read.get(sha256) ?? []) };
  const problem = checkValues(filled);
  return problem ? { ok: false, error: problem } : ok(filled);
}

async function pinnedIn<T extends Pin & { readonly package?: string | undefined }>(
  work: T,
  { pin }: AcceptanceParts,
): Promise<Result<T>> {
  if (work.package === undefined) return ok(work);
  if (!pin) return fail('not-available', 'packages are not available here: send it as a "plugin" or "code"', 'package');
  const pinned = await pin(work.package);
  return pinned.ok ? ok({ ...work, ...pinned.value }) : at('package', pinned.error);
}

const at = (key: string, error: ContractError): { ok: false; error: ContractError } =>
  fail(error.code, error.at === undefined ? error.message : sentence(error), key);
