/** `hearth run` in the command's grammar. */
import type { Command } from 'commander';
import { adminOptions, clientOptions, exits } from './options.ts';
import type { RunFlags } from './run/flags.ts';
import type { Source } from './run/values.ts';

const several = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

const after = `
The words of COMMAND are a program and its arguments, in which {} (or {i}, {name}) is the task's value and {#} its number;
one word with blanks in it, or --shell, is a script for /bin/sh, in which each becomes one quoted word.
  hearth run --array 1-1000 -- ./solve --seed {}
  hearth run --array 1-250 --tag 'blender -b scene.blend -f {} | tail -1'
  hearth run --array size=s,m,l --array seed=1-100 -- ./solve --size {size} --seed {seed}
Exit code: 0; 1 to 100: so many tasks failed; 101: more; 130: canceled; 2: usage; 255: anything else.`;

export function runCommand(hearth: Command): void {
  // In the order in which they were said, across options: the last dimension is the fastest.
  const sources: Source[] = [];
  const source = (kind: Source['kind']) => (text: string) => {
    sources.push({ kind, text });
    return text;
  };
  hearth.enablePositionalOptions();
  adminOptions(
    clientOptions(hearth.command('run').description('run a command for every value, on whatever nodes there are')),
  )
    .argument('[command...]', 'what each task runs')
    .passThroughOptions()
    .option('--array <[NAME=]SPEC>', 'values: 1-100, 0-100:5, 1-3,7, red,green; several are combined', source('array'))
    .option('--lines <[NAME=]FILE>', 'values: the lines of a file; "-" is standard input', source('lines'))
    .option('--files <[NAME=]PATTERN>', 'values: absolute paths of the files here that match', source('files'))
    .option('--items <FILE>', 'values: one JSON value a line; what a plugin gets as its data')
    .option('--shell', 'the command is a script, even where it is several words')
    .option('--plugin <NAME>', 'instead of a command: a plugin of the nodes')
    .option('--package <SOURCE>', 'instead of a command: npm:NAME@VERSION or artifact:SHA256')
    .option('--main <PATH>', 'with --package: a file in it, instead of its own entry')
    .option('--scripts', 'with --package: its install scripts run, where the node allows it')
    .option('--code <FILE>', 'instead of a command: a JavaScript module, where the cluster allows it')
    .option('--net', 'with --code: it may use the network')
    .option('--common <JSON>', 'the same for all tasks of a plugin, package or code; @FILE reads a file')
    .option('-j, --jobs <N>', 'tasks at the same time, at most')
    .option('--where <EXPRESSION>', 'which nodes may, such as \'cores>=4 && arch=="x64"\'')
    .option('--policy <NAME>', 'which of them is best: fit, spread, round-robin, greenest')
    .option('--class <NAME>', 'batch, or heat: waits until a room asks for warmth, and is paused when it does not')
    .option('--heat', 'the same as --class heat')
    .option('--priority <N>', 'among your jobs the higher goes first, -100 to 100')
    .option('--cpus <N>', 'slots that one task takes on its node')
    .option('--mem <SIZE>', 'memory that one task may take: 512M, 2G')
    .option('--timeout <TIME>', 'of one attempt: 90, 5m, 2h (default: 1h)')
    .option('--deadline <TIME>', 'of the whole job')
    .option('--retries <N>', 'further attempts of a task that fails (default: 0)')
    .option('--env <NAME[=VALUE]>', 'a variable; without a value, as it is here', several)
    .option('--cwd <FOLDER>', 'on the node (default: a folder of the task; for ./PROGRAM this one)')
    .option('--stdin <FILE>', 'standard input of every task; "-" is the one of this command')
    .option('--input <NAME=FILE>', 'a file that every task has: {NAME} is its path', several)
    .option('--output <NAME=PATH>', 'a file that every task leaves, in its folder: {NAME} is its path', several)
    .option('--output-dir <FOLDER>', 'where those go, in a folder for each task')
    .option('--needs <ID,…>', 'jobs that must have succeeded before', several)
    .option('--reduce-run <COMMAND>', 'makes one result of many, which come as JSON lines on its standard input')
    .option('--reduce-plugin <NAME>', 'makes one result of a list of them')
    .option('--fan-in <N>', 'how many at a time (default: 100)')
    .option('--replicas <N>', 'every task runs so often, on different nodes')
    .option('--agree <N>', 'so many of them must give the same result')
    .option('--speculate', 'near the end, what is slow is started a second time elsewhere')
    .option('--id <ID>', 'of the job: the same again under the same id is the same job (default: random)')
    .option('--no-order', 'print results as they come, not in the order of their tasks')
    .option('--tag', 'put the value before each line')
    .option('--json', 'a line of JSON for each task')
    .option('--no-bar', 'no progress bar')
    .option('--detach', 'print the id, and do not wait')
    .option('--joblog <FILE>', 'a line for each task that has ended, as GNU parallel writes it')
    .option('--resume', 'with --joblog: what succeeded is not run again')
    .option('--dry-run', 'print the commands, and run nothing')
    .option('--explain', 'say of each node whether it would get tasks and why not, and run nothing')
    .addHelpText('after', after)
    .action(
      exits(async (words: string[], flags: Omit<RunFlags, 'sources'>) =>
        (await import('./commands/run.ts')).run(words, { ...flags, sources }),
      ),
    );
}
