/** `hearth job` in the command's grammar. */
import type { Command } from 'commander';
import { adminOptions, clientOptions, exits } from './options.ts';

export function jobCommand(hearth: Command): void {
  const load = () => import('./commands/job.ts');
  const job = hearth
    .command('job')
    .description('work that was sent: how it is, what came of it, and what becomes of it');
  const sub = (name: string, text: string) => clientOptions(job.command(name).description(text));
  sub('list', 'the jobs that are known, the newest first')
    .option('--json', 'everything that is known, as JSON')
    .option('-a, --all', 'those that have ended, too, however many')
    .action(exits(async flags => (await load()).listJobs(flags)));
  sub('show', 'one job: what it is, and how far')
    .argument('<id>', 'of the job')
    .option('--json', 'its state and its document, as JSON')
    .action(exits(async (id, flags) => (await load()).showJob(id, flags)));
  for (const [name, text] of [
    ['watch', 'print its results from the first one on, and wait for its end; exits as hearth run does'],
    ['out', 'print the results that there are'],
  ] as const) {
    adminOptions(sub(name, text))
      .argument('<id>', 'of the job')
      .option('--no-order', 'as they came, not in the order of the tasks')
      .option('--json', 'a line of JSON for each task')
      .option('--no-bar', 'no progress bar')
      .action(exits(async (id, flags) => (await load()).followJob(id, name === 'watch', flags)));
  }
  const orders = [
    ['cancel', 'end it, and everything that runs of it'],
    ['pause', 'start nothing more of it; what runs goes on'],
    ['resume', 'go on after a pause'],
    ['retry', 'try its failed tasks again'],
    ['forget', 'remove it and its results, once it has ended; its id stays taken'],
  ] as const;
  for (const [name, text] of orders) {
    sub(name, text)
      .argument('<id...>', 'of the jobs')
      .action(exits(async (ids, flags) => (await load()).orderJobs(ids, name, flags)));
  }
  sub('explain', 'say of each node whether it would get tasks of it, and why not')
    .argument('<id>', 'of the job')
    .option('--json', 'as JSON')
    .action(exits(async (id, flags) => (await load()).explainJob(id, flags)));
  sub('priority', "among its sender's jobs the higher goes first, -100 to 100")
    .argument('<id>', 'of the job')
    .argument('<priority>', 'a whole number; put "--" before a negative one')
    .action(exits(async (id, priority, flags) => (await load()).setPriority(id, priority, flags)));
}
