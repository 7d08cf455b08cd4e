/** With what the command line logs in to a broker, and where its token does not go. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { brokerLogin } from '../../cli/broker-login.ts';
import { folder } from '../fixture/processes.ts';

const cli = suite('cli: login at a broker');
const env = { HEARTH_TOKEN: 'hearth_abc_def' };
const login = (url: string, ca?: string, more: Record<string, string> = {}) =>
  brokerLogin(new URL(url), ca, { ...env, ...more });

cli('the API token is the password, where nobody is named', () => {
  assert.is(login('mqtts://10.0.0.5:8883').password, 'hearth_abc_def');
  assert.is(login('wss://10.0.0.5:22581/mqtt').password, 'hearth_abc_def');
  assert.is(login('mqtt://127.0.0.1:1883').password, 'hearth_abc_def');
  assert.is(login('mqtts://anna:pw@10.0.0.5:8883').password, undefined);
});

cli('it does not leave the machine in the clear', () => {
  for (const url of ['mqtt://10.0.0.5:1883', 'ws://10.0.0.5:22581/mqtt', 'mqtt://127.0.0.1.example.org:1883']) {
    assert.equal(login(url), {});
  }
});

cli('the CA is that of --ca, else of HEARTH_CA, and is said only where there is TLS', () => {
  const [one, two] = [join(folder(), 'one.pem'), join(folder(), 'two.pem')];
  writeFileSync(one, 'one');
  writeFileSync(two, 'two');
  assert.is(String(login('mqtts://10.0.0.5', one, { HEARTH_CA: two }).ca), 'one');
  assert.is(String(login('mqtts://10.0.0.5', undefined, { HEARTH_CA: two }).ca), 'two');
  assert.is(login('mqtt://127.0.0.1', one).ca, undefined);
  assert.throws(() => login('mqtts://10.0.0.5', '/no/such.pem'), /--ca .*cannot be read/);
});

cli('a join token is no login', () => {
  const joining = { HEARTH_TOKEN: 'hearth1.aa.bb.cc@h:1' };
  assert.throws(() => brokerLogin(new URL('mqtts://h'), undefined, joining), /holds a join token/);
});

cli.run();
