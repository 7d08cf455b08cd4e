/** A system without /proc, such as macOS: the agent lives, and says why it runs no services. */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { folder, start } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const proc = suite('services, proc');

testWith(
  proc,
  ['root', 'unshare', 'mount'],
  'without /proc a start is refused in one sentence, and a stop ends',
  async () => {
    const program = join(import.meta.dirname, '../fixture/agent-like.ts');
    const command = ['sh', '-c', 'mount -t tmpfs tmpfs /proc && exec "$@"', 'sh', process.execPath, '--import', 'tsx'];
    const agent = start('unshare', ['--mount', ...command, program, folder('hearth-proc-')], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    agent.child.stdin?.write('{"rev":1,"services":{"a":{"run":"exec sleep 1000"}}}\n');
    const [, err] = await agent.line(/^is \{"rev":1,"err":"(.*?)","items":\{"services\/a":\{"state":"failed"/m);
    assert.match(err ?? '', /^services\/a: cannot be started: services need \/proc, which this system does not have/);
    agent.child.stdin?.write('{"rev":2,"services":{}}\n');
    await agent.line(/^is \{"rev":2,"err":"","items":\{\}\}$/m);
    await agent.stop();
  },
);

proc.run();
