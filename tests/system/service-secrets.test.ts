/** Sealed values on a node: opened for the service, and for nothing and nobody else. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { hideSecrets } from '../../node-agent/reconcile/services/hidden-output.ts';
import { createRealHost } from '../../node-agent/reconcile/services/real-host.ts';
import { createSecrets } from '../../node-agent/reconcile/services/secrets.ts';
import { openSealKey, replaceSealKey } from '../../node-agent/seal-key.ts';
import { silentLog } from '../../shared/log.ts';
import type { Service } from '../../shared/schemas/service.ts';
import { sealSecret } from '../../shared/sealed-secret.ts';
import { HostWatch } from '../fixture/host-conformance.ts';
import { until } from '../fixture/processes.ts';
import { open, servicesSuite } from '../fixture/services-rig.ts';

const services = servicesSuite('secrets of services');
const secret = 'correct horse \'battery" $(staple)\nsecond line';

/** A host that can open what is sealed for node n1. */
async function opening(home: string): Promise<HostWatch> {
  const starting = { secrets: createSecrets(home, () => 'n1') };
  const watch = new HostWatch(
    hideSecrets(createRealHost({ folder: home, log: silentLog, starting }), starting.secrets),
  );
  open.hosts.push(watch);
  await watch.adopt();
  return watch;
}

const sealed = (home: string, node: string, service: string, name: string) =>
  sealSecret(openSealKey(home).publicKey, { node, service, name }, secret);

const startError = (watch: HostWatch, spec: Service): Promise<string> =>
  watch.start(spec, 'solver').then(
    () => 'it was started',
    (error: Error) => error.message,
  );

const sealPin = (home: string) =>
  sealSecret(openSealKey(home).publicKey, { node: 'n1', service: 'solver', name: 'PIN' }, '12');

services('a service has its secret in its environment, and no file of the agent has it', async ({ home }) => {
  const watch = await opening(home);
  const cwd = join(home, 'work');
  mkdirSync(cwd);
  const env = { PLAIN: 'seen', TOKEN: await sealed(home, 'n1', 'solver', 'TOKEN') };
  const run = 'printf %s "$TOKEN" | sha256sum; echo "$PLAIN"; exec sleep 600';
  const { unit } = await watch.start({ run, cwd, env }, 'solver');
  const expected = execFileSync('sha256sum', { input: secret }).toString().trim();
  await watch.says(unit, expected);
  await watch.says(unit, 'seen');
  const found = execFileSync('sh', ['-c', `grep -rlF 'correct horse' '${home}' || true`]).toString();
  assert.is(found, '');
  await watch.stop(unit, 0);
});

services('what was sealed for elsewhere, or to another key, starts nothing and says so', async ({ home }) => {
  const watch = await opening(home);
  const wrong = {
    node: await sealed(home, 'n2', 'solver', 'TOKEN'),
    service: await sealed(home, 'n1', 'other', 'TOKEN'),
    variable: await sealed(home, 'n1', 'solver', 'OTHER'),
    later: 'sealed:v9:AAAA',
  };
  for (const [what, value] of Object.entries(wrong)) {
    const error = await startError(watch, { run: `touch '${home}/started'`, env: { TOKEN: value } });
    assert.match(error, /^cannot be started: the secret env\.TOKEN cannot be opened: it /, what);
    assert.not.match(error, /correct|horse/);
  }
  assert.is(execFileSync('ls', [home]).toString().includes('started'), false);
});

services('a host that cannot open anything never hands the sealed text on', async ({ home }) => {
  const watch = new HostWatch(createRealHost({ folder: home, log: silentLog }));
  open.hosts.push(watch);
  await watch.adopt();
  const env = { TOKEN: await sealed(home, 'n1', 'solver', 'TOKEN') };
  const error = await startError(watch, { run: 'sleep 600', env });
  assert.match(error, /the secret env\.TOKEN was not opened/);
});

services('what a service prints of its secret is told to nobody, nor by the next agent', async ({ home }) => {
  const watch = await opening(home);
  const cwd = join(home, 'work');
  mkdirSync(cwd);
  const env = { TOKEN: await sealed(home, 'n1', 'solver', 'TOKEN'), PIN: await sealPin(home) };
  const run =
    'echo "<$TOKEN>"; while [ ! -e go ]; do sleep 0.05; done; echo "again $TOKEN"; echo "pin $PIN"; exec sleep 600';
  const { unit } = await watch.start({ run, cwd, env }, 'solver');
  await watch.says(unit, '***>');
  assert.equal(watch.host.tail(unit, 5), ['<***', '***>']);
  watch.host.close();
  const next = await opening(home);
  next.host.follow(unit, true, true);
  writeFileSync(join(cwd, 'go'), '');
  const heard = () => next.lines.get(unit) ?? [];
  await until('the rest is heard', () => heard().includes('pin 12'));
  assert.equal(heard(), ['<***', '***>', 'again ***', '***', 'pin 12'], 'a secret of two letters is none to hide');
  await next.stop(unit, 0);
});

services('where the secrets of a running service cannot be opened, none of its output is shown', async ({ home }) => {
  const watch = await opening(home);
  const env = { TOKEN: await sealed(home, 'n1', 'solver', 'TOKEN') };
  const { unit } = await watch.start({ run: 'echo "$TOKEN"; echo end; exec sleep 600', env }, 'solver');
  await watch.says(unit, 'end');
  watch.host.close();
  replaceSealKey(home);
  const next = await opening(home);
  const hidden = '(not shown: its secrets cannot be opened)';
  assert.equal(next.host.tail(unit, 5), [hidden, hidden, hidden]);
  await next.stop(unit, 0);
});

services.run();
