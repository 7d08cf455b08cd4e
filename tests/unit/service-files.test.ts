/** Services that need packages and files: waited for, and restarted or reloaded when they change. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Service } from '../../shared/schemas/service.ts';
import { ServicesNode } from '../fixture/services-node.ts';

const needs = suite('service needs, files');

const minute = 60_000;
const forever = (more: Partial<Service> = {}): Service => ({ run: './serve', ...more });

needs('packages and files: waited for, and a change restarts who needs them, once', () => {
  const node = new ServicesNode();
  node.others.set('packages/chuffed', { state: 'pending' });
  node.others.set('files/conf', { state: 'ok', mark: 'one' });
  const services = { app: forever({ needs: ['packages/chuffed', 'files/conf'] }), other: forever() };
  node.begin(services);
  assert.is(node.status('app')?.err, 'waits for packages/chuffed, which is not there yet');
  node.item('packages/chuffed', 'ok', '0.10.3');
  node.time.pass(1000);
  const first = node.pid('app');
  const other = node.pid('other');
  assert.type(first, 'number');
  node.item('files/conf', 'ok', 'one').item('packages/chuffed', 'pending');
  node.time.pass(1000);
  assert.is(node.pid('app'), first, 'the same content, and one that is being changed, are no change');
  node.item('files/conf', 'ok', 'two');
  node.time.pass(1000);
  assert.is(node.pid('app'), first, 'it could not start again yet');
  node.item('packages/chuffed', 'ok', '0.10.4');
  node.time.pass(1000);
  assert.is.not(node.pid('app'), first);
  assert.is(node.status('app')?.restarts, 1);
  assert.ok(node.notices.includes('changed services/app: restarted, as packages/chuffed and 1 more changed'));
  assert.is(node.pid('other'), other);
  node.item('files/conf', 'failed');
  node.time.pass(1000);
  assert.is(node.state('app'), 'running', 'what runs stays');
});

needs('a file that changed while the agent was away, or killed before the restart, restarts who needs it', () => {
  const node = new ServicesNode();
  node.others.set('files/conf', { state: 'ok', mark: 'one' });
  node.begin({ app: forever({ needs: ['files/conf'] }) });
  node.time.pass(1000);
  const first = node.pid('app');
  node.again();
  node.time.pass(1000);
  assert.is(node.pid('app'), first, 'another agent alone is no change');
  node.others.set('files/conf', { state: 'ok', mark: 'two' });
  node.again();
  node.time.pass(1000);
  assert.is.not(node.pid('app'), first);
});

needs('a need that is new, or whose mark nobody knew, restarts nothing, and its next change does', () => {
  const node = new ServicesNode();
  node.others.set('files/conf', { state: 'ok', mark: 'one' });
  node.begin({ app: forever() });
  const first = node.pid('app');
  node.apply({ app: forever({ needs: ['files/conf'] }) });
  node.time.pass(1000);
  assert.is(node.pid('app'), first);
  assert.ok(node.caretaker.done.includes('remember app {"files/conf":"one"}'));
  node.item('files/conf', 'ok', 'two');
  node.time.pass(1000);
  assert.is.not(node.pid('app'), first);
});

needs('reload: a signal instead of the restart for a file, not for a package, and what fails is said', () => {
  const node = new ServicesNode();
  node.others.set('files/conf', { state: 'ok', mark: 'one' });
  node.others.set('packages/p', { state: 'ok', mark: '1' });
  node.begin({ app: forever({ needs: ['files/conf', 'packages/p'], reload: 'HUP' }) });
  node.time.pass(1000);
  const first = node.pid('app');
  node.item('files/conf', 'ok', 'two');
  node.time.pass(1000);
  assert.is(node.pid('app'), first);
  assert.equal(node.caretaker.done, ['remember app {"files/conf":"two","packages/p":"1"}', 'reload app HUP']);
  node.caretaker.wrong.set('app', 'exit 1; last line: no such key');
  node.item('files/conf', 'ok', 'three');
  node.time.pass(1000);
  assert.is(node.table.error(), 'services/app: could not be reloaded: exit 1; last line: no such key');
  assert.is(node.state('app'), 'running');
  node.caretaker.wrong.clear();
  node.item('files/conf', 'ok', 'four');
  node.time.pass(1000);
  assert.is(node.table.error(), '');
  node.item('packages/p', 'ok', '2');
  node.time.pass(1000);
  assert.is.not(node.pid('app'), first);
});

needs('what waits for another try after a crash, or has ended, is started by a change at once', () => {
  const node = new ServicesNode();
  node.others.set('files/conf', { state: 'ok', mark: 'one' });
  const failing = { run: 'exit 1', needs: ['files/conf'] };
  node.begin({ again: failing, once: { ...failing, restart: 'never' }, timed: { ...failing, schedule: '0 0 1 1 *' } });
  node.time.pass(10 * minute);
  const restarts = node.status('again')?.restarts ?? 0;
  assert.is(node.state('once'), 'failed');
  node.item('files/conf', 'ok', 'two');
  node.time.pass(10);
  assert.is(node.status('again')?.restarts, restarts + 1);
  assert.is(node.status('once')?.restarts, 1);
  assert.is(node.status('timed')?.exit, undefined, 'what has a schedule waits for its time');
});

needs('a run of a schedule goes on when a file changes, and is not reloaded', () => {
  const node = new ServicesNode();
  node.others.set('files/conf', { state: 'ok', mark: 'one' });
  node.begin({ app: { run: 'sleep 600; exit 0', needs: ['files/conf'], schedule: '@hourly', reload: 'HUP' } });
  node.table.restart('app', () => {});
  node.time.pass(1000);
  const first = node.pid('app');
  node.item('files/conf', 'ok', 'two');
  node.time.pass(1000);
  assert.is(node.pid('app'), first);
  assert.not.ok(node.caretaker.done.includes('reload app HUP'));
});

needs.run();
