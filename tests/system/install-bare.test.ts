/**
 * From the line that `hearth token` prints to a node that is ready, on a Debian with nothing but sh and curl, and back
 * to where it was. The runtime is the one that the registry has. Runs alone: it measures the 60 s that are promised.
 * Shares debian: the machine and its runtimes are fetched once.
 */
import { readFileSync } from 'node:fs';
import { suite as describe } from 'uvu';
import * as assert from 'uvu/assert';
import { bareMachineNeeds } from '../fixture/bare-machine.ts';
import { joiningMachine, joiningMachineNeeds } from '../fixture/joining-machine.ts';
import { patienceMs, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const suite = describe('install on a bare machine');
const needs = [...bareMachineNeeds, ...joiningMachineNeeds];
const name = (line: string): string => line.split(' ')[0] ?? '';
const secretOf = (line: string): string => /hearth1\.[0-9a-f]+\.[a-z2-7]+\.([a-z2-7]+)@/.exec(line)?.[1] ?? 'none';

testWith(
  suite,
  needs,
  'one line makes it a node within 60 s, another changes nothing, uninstall leaves no trace',
  async () => {
    const rig = await joiningMachine();
    const { machine, there } = rig;
    try {
      const before = machine.list();
      const [paste] = await rig.joinLines();
      const shown = await there(`${paste} --dry-run`);
      assert.match(shown, /would fetch Node \d+/);
      assert.equal(machine.list(), before);

      const since = performance.now();
      const node = /node (\S+) is ready/.exec(await there(paste))?.[1] ?? '';
      await rig.nodeIsReady(node);
      const took = performance.now() - since;
      assert.ok(took < 60_000, `${took} ms`);
      console.log(`from the pasted line to ready: ${(took / 1000).toFixed(1)} s`);
      assert.match(await there('hearth-agent status'), new RegExp(`runs, as node ${node}`));
      // The token has served, and is nowhere any more.
      await there(`! grep -rlF ${secretOf(paste)} /etc /usr/local /var/lib /root /tmp /run`);

      const pid = (await there('cat /var/lib/hearth-agent/run/pid')).trim();
      const files = machine.list();
      const again = await there((await rig.joinLines())[0]);
      assert.match(again, /this version runs here already/);
      assert.not.match(again, /fetch/);
      assert.is((await there('cat /var/lib/hearth-agent/run/pid')).trim(), pid);
      assert.equal(machine.list().map(name), files.map(name));

      await there('hearth-agent restart && hearth-agent wait-ready 60');
      await rig.serviceRuns(node, 'oven');
      // It runs from its shell on, which becomes what sleeps.
      await until('it sleeps', async () => (await rig.processes()).some(line => line.startsWith('sleep 86400')));
      const issue = await there('cat /etc/issue');
      const set = (...args: string[]) => rig.here('set', node, ...args, '--broker', rig.cluster.url, '--wait');
      await set('files.issue', '{"path":"/etc/issue","content":"of the cluster","mode":"0600"}');
      await set('files.new', '{"path":"/etc/made/here/new.conf","content":"x"}');
      assert.is(await there('cat /etc/issue /etc/made/here/new.conf'), 'of the clusterx');
      assert.match(await there('hearth-agent uninstall'), /putting back what was there before/);
      assert.is(await there('cat /etc/issue'), issue);
      assert.equal(machine.list(), before);
      await until('nothing runs there any more', async () => (await rig.processes()).length === 0, patienceMs);
    } finally {
      await rig.remove();
    }
  },
);

testWith(
  suite,
  needs,
  'a user of the machine joins by the checked line; a token that has served lets nobody in',
  async () => {
    const rig = await joiningMachine();
    const { machine, there } = rig;
    const asUser = 'setpriv --reuid 1000 --regid 1000 --clear-groups --no-new-privs';
    const user = (line: string, code = 0, home = '/home/kim') =>
      there(`cd /home/kim && ${asUser} /bin/sh -c '${line.replaceAll("'", "'\\''")}'`, code, { HOME: home });
    try {
      const [paste, checked] = await rig.joinLines();
      await there('mkdir /home/kim && chown 1000:1000 /home/kim');
      const before = machine.list();
      assert.match(await user(paste, 1), /only root may install for the whole machine/);
      assert.match(await user(`${paste} --user`, 1, '/root'), /HOME, "\/root", is no folder of this user's/);
      assert.equal(machine.list(), before);
      assert.match(await user(`${checked} --user`), /install\.sh: OK\n(.*\n)*hearth: node \S+ is ready/);
      await user('.local/bin/hearth-agent uninstall && rm install.sh');
      assert.equal(machine.list(), before);
      // Used up: it goes on trying as long as nobody ends it, and says so, when it has asked.
      const late = await user(`${paste} --user --wait 3`);
      assert.match(late, /goes on trying/);
      assert.not.match(late, /hearth: node \S+ is ready/);
      await until('it says why', async () =>
        /This join token is used up/.test(await user('.local/bin/hearth-agent status')),
      );
      await user('.local/bin/hearth-agent uninstall');
      assert.equal(machine.list(), before);
      // What it was given and what it said of that is in nobody's log.
      assert.not.ok(readFileSync(`${rig.data}/logs/supervisor.log`, 'utf8').includes(secretOf(paste)));
    } finally {
      await rig.remove();
    }
  },
);

suite.run();
