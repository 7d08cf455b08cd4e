/** Which control groups a machine has, and where the agent stands in them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { hierarchiesOf } from '../../node-agent/reconcile/services/hierarchies.ts';

const groups = suite('hierarchies of groups');

groups('where the agent stands, from the two files of the kernel', () => {
  const mountinfo = [
    '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory',
    '36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct',
    '37 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd',
    '41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw - cgroup2 cgroup2 rw',
    '42 31 0:38 / /mnt/again rw - cgroup2 cgroup2 rw',
    '22 1 8:1 / / rw - ext4 /dev/sda1 rw',
    'nonsense',
  ].join('\n');
  const cgroup = '9:name=systemd:/\n4:memory:/a/b\n2:cpu,cpuacct:/\n0::/user.slice/x:y\n';
  assert.equal(hierarchiesOf(mountinfo, cgroup), [
    { version: 1, controllers: ['memory'], top: '/sys/fs/cgroup/memory', own: '/sys/fs/cgroup/memory/a/b' },
    {
      version: 1,
      controllers: ['cpu', 'cpuacct'],
      top: '/sys/fs/cgroup/cpu,cpuacct',
      own: '/sys/fs/cgroup/cpu,cpuacct',
    },
    { version: 1, controllers: ['name=systemd'], top: '/sys/fs/cgroup/systemd', own: '/sys/fs/cgroup/systemd' },
    { version: 2, controllers: [], top: '/sys/fs/cgroup/uni fied', own: '/sys/fs/cgroup/uni fied/user.slice/x:y' },
  ]);
  const inside = '35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory';
  const own = (path: string) => hierarchiesOf(inside, `4:memory:${path}\n`)[0]?.own;
  assert.is(own('/docker/abc/x'), '/sys/fs/cgroup/memory/x');
  assert.is(own('/docker/abc'), '/sys/fs/cgroup/memory');
  assert.is(own('/docker/abcd'), '/sys/fs/cgroup/memory', 'of another container: only what is mounted is seen');
  assert.is(own('/../x'), undefined);
  assert.equal(hierarchiesOf('', ''), []);
});

groups.run();
