/**
 * An installed agent becomes another version of itself, and goes back by itself from one that is not well; services
 * stay. Shares debian: the machine and its runtimes are fetched once.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { suite as describe } from 'uvu';
import * as assert from 'uvu/assert';
import { packAgent } from '../../broker/artifacts/agent-archive.ts';
import type { Is } from '../../shared/schemas/observed.ts';
import { bareMachineNeeds } from '../fixture/bare-machine.ts';
import { type JoiningMachine, joiningMachine, joiningMachineNeeds } from '../fixture/joining-machine.ts';
import { connectClient } from '../fixture/mqtt-client.ts';
import { folder, patienceMs, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const root = join(import.meta.dirname, '../..');
const suite = describe('update of an installed agent');

/** An archive of the built agent with something changed, in the supervisor's store. @returns its SHA-256. */
async function release(rig: JoiningMachine, change: (dist: string) => void): Promise<string> {
  const dist = folder();
  cpSync(join(root, 'dist'), dist, { recursive: true });
  change(dist);
  let bytes = Buffer.alloc(0);
  const { sha256 } = await packAgent({ dist, deploy: join(root, 'deploy') }, folder(), async file => {
    bytes = readFileSync(file);
  });
  assert.is(createHash('sha256').update(bytes).digest('hex'), sha256);
  const { http } = rig.cluster.ready;
  await new Promise<void>((resolve, reject) => {
    const headers = { 'content-length': bytes.length };
    const put = request({ method: 'PUT', host: '127.0.0.1', port: http, path: `/artifacts/${sha256}`, headers });
    put.once('error', reject);
    put.once('response', answer => {
      answer.resume();
      if (answer.statusCode === 201) resolve();
      else reject(new Error(`the store answered ${answer.statusCode}`));
    });
    put.end(bytes);
  });
  return sha256;
}

testWith(
  suite,
  [...bareMachineNeeds, ...joiningMachineNeeds],
  'a bad version puts itself back, a good one stays, and the services never notice',
  async () => {
    const rig = await joiningMachine();
    const { there, here, cluster } = rig;
    const watcher = await connectClient(cluster.url, ['hearth/node/+/is']);
    try {
      const [paste] = await rig.joinLines();
      await there(`${paste} --node site`);
      await rig.serviceRuns('site', 'oven');
      const oven = () => there('grep -asl "sleep.8640[0]" /proc/[0-9]*/cmdline');
      const installed = () => there('sed -n "s/^AGENT=//p" /usr/local/lib/hearth-agent/layout');
      const [sleeper, before] = [await oven(), await installed()];
      const is = () =>
        JSON.parse(watcher.heard.findLast(({ topic }) => topic === 'hearth/node/site/is')?.text ?? '{}') as Is;
      const wanted = (sha256: string, ver: string) =>
        here('set', 'site', 'agent', JSON.stringify({ ver, sha256 }), '--broker', cluster.url);

      // One that does not even look at its folder is never tried.
      const dead = await release(rig, dist =>
        writeFileSync(join(dist, 'agent.js'), 'throw new Error("dead on arrival");\n'),
      );
      await wanted(dead, '9.0.0');
      await until('it is told', () => /9\.0\.0: it does not run here: .*/.test(is().items?.agent?.err ?? ''));
      assert.is(await installed(), before);

      // One that looks all right and dies when it runs.
      const bad = await release(rig, dist => {
        const agent = readFileSync(join(dist, 'agent.js'), 'utf8');
        writeFileSync(
          join(dist, 'agent.js'),
          `if(!process.argv.includes("--check")){console.error("bad to the bone");process.exit(1)}\n${agent}`,
        );
      });
      await wanted(bad, '9.0.1');
      await until('it was tried and put back', () =>
        /9\.0\.1 was tried and put back: it was started 3 times/.test(is().items?.agent?.err ?? ''),
      );
      assert.match(is().err, /^agent: 9\.0\.1 was tried/);
      assert.is(await installed(), before);
      assert.match(await there('hearth-agent wait-ready 60 && hearth-agent logs 40'), /bad to the bone/);

      // One that looks all right and hangs: it gives nothing up by itself, and is watched.
      const hung = await release(rig, dist => {
        const agent = readFileSync(join(dist, 'agent.js'), 'utf8');
        writeFileSync(join(dist, 'agent.js'), `if(!process.argv.includes("--check"))for(;;);\n${agent}`);
      });
      await there('HEARTH_TRIAL_SECONDS=15 hearth-agent restart && hearth-agent wait-ready 60');
      await wanted(hung, '9.0.3');
      await until('it hung and was put back', () =>
        /9\.0\.3 was tried and put back: it hung/.test(is().items?.agent?.err ?? ''),
      );
      assert.is(await installed(), before);
      await there('hearth-agent restart && hearth-agent wait-ready 60');

      // A good one: well for a minute, then it is the installed one.
      const good = await release(rig, dist => appendFileSync(join(dist, 'agent.js'), '\n// another one\n'));
      await wanted(good, '9.0.2');
      const trial = () => there('cat /usr/local/lib/hearth-agent/trial 2>/dev/null || true');
      await until('it is on trial', async () => (await trial()).includes(good.slice(0, 16)));
      const minuteMs = 60_000;
      const isInstalled = async () => (await trial()) === '' && (await installed()).includes(good.slice(0, 16));
      await until('it was well for a minute and is the installed one', isInstalled, minuteMs + patienceMs);
      await until('it is told', () => is().items?.agent?.state === 'ok');
      assert.is(is().err, '');
      assert.match(
        await there('hearth-agent restart && hearth-agent wait-ready 60 && hearth-agent version'),
        /^9\.0\.2$/m,
      );
      assert.is(await oven(), sleeper, 'the service is the same process all the time');

      // A power cut as it became the installed one, before the trial's end was written: it is tried no more.
      const lib = '/usr/local/lib/hearth-agent';
      await there(
        `printf 'TO=%s\\nVERSION=9.0.2\\nSTARTS=3\\n' "$(sed -n 's/^AGENT=//p' ${lib}/layout)" >${lib}/trial`,
      );
      await there('hearth-agent restart && hearth-agent wait-ready 60');
      assert.is(await trial(), '');
      assert.not.match(await there(`cat ${lib}/put-back`), /9\.0\.2/);
      await there('hearth-agent uninstall');
    } finally {
      await watcher.close();
      await rig.remove();
    }
  },
);

suite.run();
