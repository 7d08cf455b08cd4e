/** The second half of `hearth apply`: uploads, the sets with their answers, and waiting for the nodes. */
import { printable } from '../../shared/names.ts';
import { UserError } from '../../shared/user-error.ts';
import { failureText, sendAll } from '../apply/delivery.ts';
import { idOf, type NounPath, nounOf } from '../apply/document.ts';
import { countsOf, type NounPlan } from '../apply/plan.ts';
import { type Outcome, openSets } from '../apply/sending.ts';
import { goalsOf } from '../apply/waiting.ts';
import type { Connected } from '../connection.ts';
import { gatherDocuments } from '../documents.ts';
import type { ApplyFlags, Work } from './apply.ts';
import { converge } from './apply-wait.ts';
import { upload } from './artifact-upload.ts';

type Flags = ApplyFlags & { readonly waitMs: number };

export async function carryOut({ client, base }: Connected, work: Work, flags: Flags): Promise<number> {
  const { plans, retained } = work;
  await uploadAll(work, flags);
  const sets = await openSets(client, base);
  const outcomes = new Map<NounPath, Outcome>();
  const print = (line: string) => (flags.json ? undefined : console.log(line));
  for (const plan of plans) if (!plan.patch) print(`${plan.path}: nothing to do`);
  const told = (outcome: Outcome) => {
    outcomes.set(outcome.path, outcome);
    const plan = plans.find(({ path }) => path === outcome.path);
    if (plan && outcome.state === 'accepted') print(`${outcome.path}: rev ${outcome.rev ?? '?'}, ${countsOf(plan)}`);
  };
  await sendAll(sets, plans, retained.documents, told, async () => (await gatherDocuments(client, base)).documents);
  const failed = [...outcomes.values()].filter(({ state }) => state !== 'accepted');
  if (flags.json) console.log(JSON.stringify({ documents: plans.map(plan => toldAs(plan, outcomes)) }, undefined, 2));
  if (failed.length > 0) throw new UserError(failureText(plans, outcomes));
  if (!flags.wait) return 0;
  const revs = new Map([...retained.documents].map(([path, { rev }]) => [path, rev]));
  for (const [path, { rev }] of outcomes) if (rev !== undefined) revs.set(path, rev);
  const say = (line: string) => (flags.json ? console.error(line) : console.log(line));
  const { waitMs } = flags;
  await converge(client, base, goalsOf(plans, work.outlook, revs), {
    waitMs,
    fresh: outcomes.size > 0,
    say,
    roles: new Map(
      plans.flatMap(({ path }) => (nounOf(path) === 'role' ? [[idOf(path), revs.get(path) ?? 0] as const] : [])),
    ),
    before: retained.known,
  });
  return 0;
}

const toldAs = (plan: NounPlan, outcomes: ReadonlyMap<NounPath, Outcome>) => {
  const { path, added, changed, removed, leftover } = plan;
  return { path, state: 'unchanged', ...outcomes.get(path), added, changed, removed, leftover };
};

/** What the patches need of the store, before anybody is told to fetch it. */
async function uploadAll({ file, plans }: Work, flags: Flags): Promise<void> {
  const sent = plans.map(({ patch }) => JSON.stringify(patch ?? {}));
  for (const [sha256, { path, bytes }] of file.uploads) {
    if (!sent.some(text => text.includes(sha256))) continue;
    const fresh = await upload(path, sha256, bytes, flags);
    if (!flags.json) console.log(`${printable(path, 200)}: artifact:${sha256}${fresh ? '' : ' (was there already)'}`);
  }
}
