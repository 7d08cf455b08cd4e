/** Reboot, shutdown and identify, with programs and lights of the test's own. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createMachineActions, type MachineActions } from '../../node-agent/machine-actions.ts';
import { manualClock } from '../fixture/manual-clock.ts';

const test = suite('machine actions');
let folder = '';

test.before.each(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'hearth-machine-'));
});
test.after.each(() => fs.rmSync(folder, { recursive: true, force: true }));

function machine(options: { root?: boolean; contained?: boolean } = {}) {
  const clock = manualClock();
  const bin = join(folder, 'bin');
  fs.mkdirSync(bin, { recursive: true });
  const actions = createMachineActions({
    ...{ clock, root: options.root ?? true, contained: () => options.contained ?? false },
    ...{ files: folder, path: [bin], upgrade: (done: (error?: string) => void) => done() },
  });
  const program = (name: string, script: string) =>
    fs.writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { clock, actions, program, did: () => fs.readFileSync(join(folder, 'did'), 'utf8') };
}
const said = (actions: MachineActions, verb: keyof MachineActions) =>
  new Promise<string | undefined>(resolve => actions[verb](resolve));

test('with systemd its program is asked, without it the plain one', async () => {
  const it = machine();
  it.program('systemctl', `echo "systemctl $*" >>${folder}/did`);
  it.program('reboot', `echo "reboot $*" >>${folder}/did`);
  it.program('poweroff', `echo "poweroff $*" >>${folder}/did`);
  assert.is(await said(it.actions, 'reboot'), undefined);
  assert.is(await said(it.actions, 'shutdown'), undefined);
  fs.mkdirSync(join(folder, 'run/systemd/system'), { recursive: true });
  assert.is(await said(it.actions, 'reboot'), undefined);
  assert.is(await said(it.actions, 'shutdown'), undefined);
  assert.is(it.did(), 'reboot \npoweroff \nsystemctl reboot\nsystemctl poweroff\n');
});

test('what cannot be is one sentence: no root, a container, no program, a program that fails', async () => {
  assert.is(await said(machine({ root: false }).actions, 'reboot'), 'reboot needs root');
  assert.match((await said(machine({ contained: true }).actions, 'shutdown')) ?? '', /is a container/);
  const it = machine();
  assert.match((await said(it.actions, 'reboot')) ?? '', /no program to reboot this machine was found/);
  it.program('reboot', 'echo warming up; echo "somebody inhibits it" >&2; exit 1');
  assert.match((await said(it.actions, 'reboot')) ?? '', /bin\/reboot failed: somebody inhibits it$/);
});

test('identify: the light of the board blinks for half a minute, and is then as it was', async () => {
  const it = machine();
  assert.match((await said(it.actions, 'identify')) ?? '', /no light that its kernel knows/);
  const light = (name: string, triggers: string) => {
    const file = join(folder, 'sys/class/leds', name, 'trigger');
    fs.mkdirSync(join(file, '..'), { recursive: true });
    fs.writeFileSync(file, triggers);
    return file;
  };
  const dumb = light('input3::capslock', '[none] kbd-capslock');
  assert.match((await said(it.actions, 'identify')) ?? '', /none of its lights may be used/);
  const act = light('ACT', 'none timer [mmc0] heartbeat');
  assert.is(await said(it.actions, 'identify'), undefined);
  assert.is(fs.readFileSync(act, 'utf8'), 'timer');
  assert.is(await said(it.actions, 'identify'), undefined, 'it blinks already');
  it.clock.advance(30_001);
  assert.is(fs.readFileSync(act, 'utf8'), 'mmc0');
  assert.is(fs.readFileSync(dumb, 'utf8'), '[none] kbd-capslock');
});

test.run();
