/** What an order may do to the machine itself: restart it, switch it off, show which one it is. */
import { execFile } from 'node:child_process';
import { accessSync, constants, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../shared/clock.ts';

export interface MachineActions {
  /** `done` with one sentence where it cannot be; without one the machine is about to go down. */
  reboot(done: (error?: string) => void): void;
  shutdown(done: (error?: string) => void): void;
  /** Blinks a light of the machine for half a minute. */
  identify(done: (error?: string) => void): void;
  /** Upgrades the system's packages: `done` when that has begun, and the item `upgrade` tells the rest. */
  upgrade(done: (error?: string) => void): void;
}

export interface MachineParts {
  readonly clock: Clock;
  readonly root: boolean;
  /** `caps` of the node's info: whether this is a container, which has no machine of its own. */
  readonly contained: () => boolean;
  /** `/`, and a folder of a test's own. */
  readonly files?: string;
  /** Where programs are looked for. */
  readonly path?: readonly string[];
  upgrade(done: (error?: string) => void): void;
}

const identifyMs = 30_000;
const answerMs = 8000;
const programs = { reboot: [['systemctl', 'reboot'], ['reboot']], shutdown: [['systemctl', 'poweroff'], ['poweroff']] };
const usual = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

export function createMachineActions(parts: MachineParts): MachineActions {
  const { files = '/', path = usual } = parts;
  let blinks = false;
  const down = (verb: keyof typeof programs, done: (error?: string) => void) => {
    if (!parts.root) return done(`${verb} needs root`);
    if (parts.contained()) return done(`this node is a container: ${verb} is for the machine it runs on`);
    const systemd = isThere(join(files, 'run/systemd/system'));
    for (const [name = '', ...args] of programs[verb]) {
      if (name === 'systemctl' && !systemd) continue;
      const program = path.map(folder => join(folder, name)).find(isProgram);
      if (program) return run(program, args, done);
    }
    done(`no program to ${verb} this machine was found (${path.join(', ')})`);
  };
  return {
    reboot: done => down('reboot', done),
    shutdown: done => down('shutdown', done),
    upgrade: done => parts.upgrade(done),
    identify(done) {
      if (blinks) return done();
      const ended = () => {
        blinks = false;
      };
      const obstacle = blink(join(files, 'sys/class/leds'), parts.clock, ended);
      blinks = obstacle === undefined;
      done(obstacle);
    },
  };
}

/** A machine that goes down may end this process before the program does. */
function run(program: string, args: readonly string[], done: (error?: string) => void): void {
  execFile(program, args, { timeout: answerMs, maxBuffer: 16 * 1024 }, (error, _out, said) => {
    if (!error) return done();
    const why = said.trim().split('\n').at(-1) || error.message;
    done(`${program} failed: ${why.slice(0, 200)}`);
  });
}

/** The kernel blinks it (Documentation/leds/leds-class.rst): trigger `timer`, and back to what it was. */
function blink(folder: string, clock: Clock, ended: () => void): string | undefined {
  const lights = names(folder);
  const wished = ['ACT', 'led0', 'PWR', 'led1'].find(light => lights.includes(light));
  for (const light of wished === undefined ? lights : [wished, ...lights]) {
    const file = join(folder, light, 'trigger');
    try {
      const triggers = readFileSync(file, 'utf8');
      const before = /\[([^\]]+)\]/.exec(triggers)?.[1];
      if (before === undefined || !/\btimer\b/.test(triggers)) continue;
      writeFileSync(file, 'timer');
      clock.after(identifyMs, () => {
        ended();
        try {
          writeFileSync(file, before);
        } catch {
          // The light is gone, with its keyboard perhaps.
        }
      });
      return undefined;
    } catch {
      // Not ours to write, or no such trigger: the next one.
    }
  }
  return lights.length === 0
    ? 'this machine has no light that its kernel knows'
    : 'none of its lights may be used: run the agent as root';
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isThere(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
