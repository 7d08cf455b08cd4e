/** The command lines of podman and docker that a container's unit needs; both read the same. Pure. */
import type { Limits, Service } from '../../../shared/schemas/service.ts';
import type { Unit } from '../host.ts';
import { nicer } from './priority.ts';

export const containerName = (unit: string): string => `hearth-${unit}`;

/** The unit in a name that {@link containerName} gave. */
export const unitOfName = (name: string): string | undefined => /^hearth-([0-9a-f]{32})$/.exec(name.trim())?.[1];

/** Says whose a container is: several agents may be on one machine. */
export const folderLabel = (mark: string): string => `hearth.folder=${mark}`;

/** Of the processor, one step of nice is a factor of 1.25 (sched(7)); 1024 is what a container has that says nothing. */
const sharesOf = (nice: number): number => Math.max(2, Math.round(1024 / 1.25 ** (nicer + nice)));

function limitArguments({ memory_mb, cpu_pct, pids, nice }: Limits, byDaemon: boolean): string[] {
  return [
    // The same for memory and swap together: swap is no further memory.
    ...(memory_mb === undefined ? [] : [`--memory=${memory_mb}m`, `--memory-swap=${memory_mb}m`]),
    ...(cpu_pct === undefined ? [] : [`--cpus=${cpu_pct / 100}`]),
    ...(pids === undefined ? [] : [`--pids-limit=${pids}`]),
    // podman's are its own children, and as nice as it is; not every user of it may give shares.
    ...(byDaemon ? [`--cpu-shares=${sharesOf(nice ?? 0)}`] : []),
  ];
}

/** `run` takes the place of the image's own entry point and command; without it they are what runs. */
function commandArguments({ image = '', run }: Service): string[] {
  if (run === undefined) return [image];
  const [first = '', ...rest] = typeof run === 'string' ? ['/bin/sh', '-c', run] : run;
  return [`--entrypoint=${first}`, image, ...rest];
}

/**
 * Runs in the foreground: the client's output is the container's, and its end. Nothing of the environment is on the
 * command line, which everybody on the machine can read. The engine keeps no log of its own, as it would have no bound.
 *
 * @param file the environment, as {@link environmentFile} has it.
 * @param mark of this agent's folder.
 * @param byDaemon docker's containers are children of its daemon, and inherit nothing of the client.
 */
export function runArguments(
  { unit, service, spec }: Unit,
  file: string,
  mark: string,
  byDaemon: boolean,
): readonly string[] {
  return [
    'run',
    '--rm',
    `--name=${containerName(unit)}`,
    `--label=hearth.unit=${unit}`,
    `--label=hearth.service=${service}`,
    `--label=${folderLabel(mark)}`,
    `--env-file=${file}`,
    '--log-driver=none',
    '--oom-score-adj=500',
    ...limitArguments(spec.limits ?? {}, byDaemon),
    ...(spec.user === undefined ? [] : [`--user=${spec.user}`]),
    ...(spec.cwd === undefined ? [] : [`--workdir=${spec.cwd}`]),
    ...(spec.volumes ?? []).map(volume => `--volume=${volume}`),
    ...(spec.ports ?? []).map(port => `--publish=${port}`),
    ...commandArguments(spec),
  ];
}

/** A further command in the container of a unit. */
export const insideArguments = (unit: string, { run = [], user, cwd }: Service): readonly string[] => [
  'exec',
  ...(user === undefined ? [] : [`--user=${user}`]),
  ...(cwd === undefined ? [] : [`--workdir=${cwd}`]),
  containerName(unit),
  ...(typeof run === 'string' ? ['/bin/sh', '-c', run] : run),
];

/** @throws where a value cannot stand in such a file, which has one on a line. */
export function environmentFile(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => {
      if (/[\r\n]/.test(value)) throw new Error(`env.${name} has several lines, which a container cannot be given`);
      return `${name}=${value}\n`;
    })
    .join('');
}

export const signalArguments = (unit: string, signal: string): readonly string[] => [
  'kill',
  `--signal=${signal}`,
  containerName(unit),
];

export const removeArguments = (units: readonly string[]): readonly string[] => [
  'rm',
  '--force',
  ...units.map(containerName),
];

/** Names of this agent's containers, ended ones too, one a line. */
export const listArguments = (mark: string): readonly string[] => [
  'ps',
  '--all',
  `--filter=label=${folderLabel(mark)}`,
  '--format={{.Names}}',
];
