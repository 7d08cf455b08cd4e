/** The agent's process: the only file of the agent that knows all its parts. `dist/agent.js` is this file's bundle. */
import { renameSync, writeFileSync } from 'node:fs';
import { ed25519Verifier } from '../shared/ed25519.ts';
import { systemClock, systemRandom } from '../shared/system-clock.ts';
import { UserError } from '../shared/user-error.ts';
import { adopt } from './adopt.ts';
import { checkFolder } from './check-folder.ts';
import { openAgentFolder } from './files-disk.ts';
import { lockFolder } from './folder-lock.ts';
import { Life } from './life.ts';
import { type AgentOptions, agentUsage, readOptions } from './options.ts';
import { stderrLog } from './stderr-log.ts';
import { takeBack } from './take-back.ts';

declare const HEARTH_VERSION: string | undefined;
const ver = typeof HEARTH_VERSION === 'string' ? HEARTH_VERSION : '0.0.0-dev';

/** A stop must be over within 5 s (contract, Processes); one that ends services takes as long as their grace periods. */
const stopWithinMs = 4500;
const stopServicesWithinMs = 60_000;
/** EX_TEMPFAIL of sysexits.h: whoever looks after the agent starts it again. */
const restartCode = 75;
/** npm hands Ctrl-C on, so that one press arrives twice: only what comes later than this is a second press. */
const samePressMs = 500;

function run(options: AgentOptions): void {
  const log = stderrLog(process.env.HEARTH_LOG === 'debug');
  const { data, periodMs, readyFile } = options;
  let life: Life | undefined;
  let reaches: boolean | undefined;
  let stoppingSince: number | undefined;
  const stop = () => {
    const now = performance.now();
    if (stoppingSince !== undefined && now - stoppingSince < samePressMs) return;
    // Asked a second time, or before there is anything to stop: now.
    if (stoppingSince !== undefined || !life) process.exit(0);
    stoppingSince = now;
    const late = () => {
      if (!options.stopServices) process.exit(0);
      log.error({}, `services that had not ended after ${stopServicesWithinMs / 1000} s run on`);
      process.exit(1);
    };
    setTimeout(late, options.stopServices ? stopServicesWithinMs : stopWithinMs);
    life.stop(options.stopServices, () => process.exit(0));
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, stop);
  process.on('SIGUSR2', () => life?.wake());
  openAgentFolder(data);
  const unlock = lockFolder(data);
  process.on('exit', unlock);
  process.on('uncaughtException', error => {
    log.error({ err: error.stack }, `this is a defect: ${error.message}`);
    process.exit(70);
  });
  if (options.withParent) {
    // The pipe ends with the parent, however it died.
    process.stdin
      .on('error', () => {})
      .once('close', stop)
      .resume();
  }
  const around = {
    data,
    ver,
    periodMs,
    log,
    clock: systemClock(),
    random: systemRandom(),
    verifier: ed25519Verifier(),
    restart: () => {
      setTimeout(() => process.exit(restartCode), stopWithinMs);
      life?.stop(false, () => process.exit(restartCode));
    },
  };
  life = new Life(around, options, {
    reaches(node, online) {
      // It has never been there: there is nothing to take back.
      if (online === reaches || (!online && reaches === undefined)) return;
      if (readyFile !== undefined) tellReady(readyFile, node, online, reaches === undefined);
      reaches = online;
    },
    over(sentence) {
      if (sentence !== undefined) console.error(`hearth: ${sentence}`);
      process.exit(sentence === undefined ? 0 : 1);
    },
  });
  life.start();
}

/** Beside, then renamed: whoever waits for the file never reads half of it. */
function tellReady(file: string, node: string, online: boolean, first: boolean): void {
  try {
    const state = { pid: process.pid, node, ...(online ? {} : { away: true }) };
    writeFileSync(`${file}.new`, `${JSON.stringify(state)}\n`);
    renameSync(`${file}.new`, file);
  } catch (error) {
    console.error(`hearth: cannot write --ready-file ${file} (${(error as NodeJS.ErrnoException).code})`);
    if (first) process.exit(1);
  }
}

function putBack(data: string): void {
  const unlock = lockFolder(data);
  takeBack(data, problems => {
    unlock();
    for (const problem of problems) console.error(`hearth: ${problem}`);
    process.exit(problems.length === 0 ? 0 : 1);
  });
}

try {
  if (process.platform === 'win32')
    throw new UserError('agents run on Linux, macOS and Android, not on Windows: use WSL');
  const options = readOptions(process.argv.slice(2), process.env);
  if (options && 'once' in options) {
    if (options.once === 'take-back') putBack(options.data);
    else process.stdout.write(`hearth: ${ver} runs here: ${checkFolder(options.data)}\n`, () => process.exit(0));
  } else if (options && 'adopt' in options) {
    process.stdout.write(`${adopt(options.adopt, options.data)}\n`, () => process.exit(0));
  } else if (options) run(options);
  // Run by the `hearth` command, nothing else would end the process.
  else process.stdout.write(`${agentUsage}\n`, () => process.exit(0));
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  console.error(`hearth: ${error.message}`);
  process.exit(error.exitCode);
}
