/** Where commands look that were told no address: at the supervisor of a data folder. */
import * as assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite as describe } from 'uvu';
import { brokerUrl, localPorts } from '../../cli/running-supervisor.ts';
import { UserError } from '../../shared/user-error.ts';
import { folder } from '../fixture/processes.ts';

const suite = describe('the supervisor on this machine');
const runs = (run: unknown): string => {
  const data = folder();
  writeFileSync(join(data, 'run.json'), typeof run === 'string' ? run : JSON.stringify(run));
  return data;
};

suite('its ports are those of its run.json, which another program may have written', () => {
  const data = runs({ pid: 1, mqtt: 40001, http: 40002 });
  assert.deepEqual(localPorts(data, {}), { mqtt: 40001, http: 40002 });
  assert.deepEqual(localPorts(undefined, { HEARTH_DATA: data }), { mqtt: 40001, http: 40002 });
  for (const odd of ['', 'x', 'null', '[]', { mqtt: '40001', http: 70_000 }, { mqtt: -1, http: 1.5 }]) {
    assert.deepEqual(localPorts(runs(odd), {}), { mqtt: undefined, http: undefined }, JSON.stringify(odd));
  }
});

suite('a broker that was named goes first, then its own, then the usual one', () => {
  const data = runs({ pid: 1, mqtt: 40001, http: 40002 });
  assert.equal(brokerUrl({ data, broker: 'mqtt://10.0.0.5' }, {}), 'mqtt://10.0.0.5');
  assert.equal(brokerUrl({ data }, { HEARTH_BROKER: 'mqtt://10.0.0.6' }), 'mqtt://10.0.0.6');
  assert.equal(brokerUrl({ data }, {}), 'mqtt://127.0.0.1:40001');
  assert.equal(brokerUrl({ data: runs({ pid: 1, mqtt: 8883, http: 2, outside: true }) }, {}), 'mqtt://127.0.0.1:1883');
  assert.equal(brokerUrl({}, { HOME: folder(), HEARTH_DATA: runs('') }), 'mqtt://127.0.0.1:1883');
});

suite('a folder that was named and where none runs is said', () => {
  const data = folder();
  assert.throws(
    () => localPorts(data, {}),
    (error: Error) => error instanceof UserError && error.message.includes(`"hearth up --data ${data}"`),
  );
});

suite.run();
