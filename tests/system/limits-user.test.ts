/** Services that run as another user: with his rights and nobody else's, and with no hold on what is the agent's. */
import { existsSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { readProcess } from '../../node-agent/reconcile/services/processes.ts';
import { ask, findProgram } from '../../node-agent/reconcile/services/programs.ts';
import { commandAs, Users } from '../../node-agent/reconcile/services/users.ts';
import { folder, patienceMs, until } from '../fixture/processes.ts';
import { hosted, servicesSuite } from '../fixture/services-rig.ts';

const users = servicesSuite('services of another user');
const path = process.env.PATH ?? '';

const passwd = readFileSync('/etc/passwd', 'utf8')
  .split('\n')
  .map(each => each.split(':'));
/** One with further groups, where there is one. */
const inGroups = new Set(
  readFileSync('/etc/group', 'utf8')
    .split('\n')
    .flatMap(each => each.split(':')[3]?.split(',') ?? []),
);
const [name = '', , uid = '', gid = ''] =
  passwd.find(([each = '', , id]) => inGroups.has(each) && id !== '0') ??
  passwd.find(([each]) => each === 'daemon') ??
  [];
const group = readFileSync('/etc/group', 'utf8')
  .split('\n')
  .map(each => each.split(':'))
  .find(([each]) => each === 'tty');

const ids = (pid: number, key: string) =>
  new RegExp(`^${key}:\\s+(.*)$`, 'm')
    .exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    ?.trim()
    .split(/\s+/);

if (process.getuid?.() !== 0 || name === '' || !group)
  console.log('skipped: another user (needs root, and a user "daemon")');
else {
  users('has all his ids and groups, his environment, and no capability; the shim stays root', async ({ home }) => {
    const watch = await hosted(home);
    process.env.HEARTH_LEAK = 'x';
    const { unit, pid = 0 } = await watch.start({
      run: 'id -u; id -g; echo "$HOME $USER $LOGNAME $PWD"; env | sort; exec sleep 4321',
      user: name,
      env: { GREETING: "it's $HOME `x`", LD_LIBRARY_PATH: '/nowhere' },
    });
    await until('it has said all', () => watch.host.tail(unit, 50).includes(`USER=${name}`));
    const said = watch.host.tail(unit, 50);
    const homeOf = passwd.find(([each]) => each === name)?.[5];
    assert.equal(said.slice(0, 3), [uid, gid, `${homeOf} ${name} ${name} ${existsSync(homeOf ?? '') ? homeOf : '/'}`]);
    assert.ok(said.includes("GREETING=it's $HOME `x`"), said.join('\n'));
    assert.ok(said.includes('LD_LIBRARY_PATH=/nowhere'));
    const names = said.slice(3).map(each => each.split('=')[0]);
    assert.equal(names.filter(each => each?.startsWith('HEARTH_')).sort(), ['HEARTH_SERVICE', 'HEARTH_UNIT']);
    for (const of of ['Uid', 'Gid']) assert.equal(new Set(ids(pid, of)), new Set([of === 'Uid' ? uid : gid]), of);
    for (const of of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) assert.match(ids(pid, of)?.[0] ?? '', /^0+$/, of);
    const expected = await ask('/usr/bin/id', ['-G', name], patienceMs);
    assert.equal(ids(pid, 'Groups')?.sort(), expected.out.trim().split(' ').sort());
    const shim = readProcess(pid)?.parent ?? 0;
    assert.equal(ids(shim, 'Uid'), ['0', '0', '0', '0']);
    assert.not.match(
      readFileSync(`/proc/${shim}/environ`, 'latin1'),
      /(^|\0)LD_LIBRARY_PATH=/,
      'nothing is loaded for it from there',
    );
    assert.is(await watch.stop(unit), undefined);
    assert.equal(await watch.exit(unit), { signal: 'TERM' });
  });

  users('may open its output, and neither read nor end what is the agent’s', async ({ home }) => {
    const watch = await hosted(home);
    const run = `echo through >/dev/stdout
      cat ${home}/units/*/unit.json 2>&1 | head -1; echo x >${home}/runs/$HEARTH_UNIT.end; kill -9 $PPID
      cat /proc/$PPID/environ >/dev/null; for fd in 3 4 5 6 7 8 9; do [ -e /proc/self/fd/$fd ] && echo open $fd; done; exit 7`;
    const { unit } = await watch.start({ run, user: name, cwd: '/' });
    assert.equal(await watch.exit(unit), { code: 7 }, 'the shim lived to tell');
    const said = watch.host.tail(unit, 50).join('\n');
    assert.match(said, /^through$/m);
    assert.is(said.match(/[Pp]ermission denied|not permitted/g)?.length, 4, said);
    assert.not.match(said, /^open/m);
    assert.is(statSync(join(home, 'units', unit)).uid, 0);
  });

  users('user:group, and numbers', async ({ home }) => {
    const watch = await hosted(home);
    const { unit } = await watch.start({ run: 'id -u; id -g', user: `${name}:${group[0]}` });
    await watch.exit(unit);
    assert.equal(watch.host.tail(unit, 2), [uid, group[2]]);
    const numbers = await watch.start({ run: ['id', '-u'], user: uid });
    await watch.exit(numbers.unit);
    assert.equal(watch.host.tail(numbers.unit, 2), [uid]);
  });

  users('limits and user together: its groups are made by root before', async ({ home }) => {
    const watch = await hosted(home);
    const { pid = 0, unit } = await watch.start({ run: 'exec sleep 4321', user: name, limits: { pids: 50 } });
    await until('it is he', () => ids(pid, 'Uid')?.[0] === uid);
    if (watch.host.note(unit) === undefined)
      assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), new RegExp(unit));
  });

  users('who is not known is not started, with a sentence', async ({ home }) => {
    const watch = await hosted(home);
    for (const [user, pattern] of [
      ['no-such-user', /^cannot be started: there is no user "no-such-user" on this machine$/],
      [`${name}:no-such-group`, /^cannot be started: there is no group "no-such-group" on this machine$/],
    ] as const) {
      const error = await watch.start({ run: 'true', user }).then(
        () => undefined,
        (failed: Error) => failed.message,
      );
      assert.match(error ?? '', pattern);
    }
  });

  const busybox = findProgram('busybox', path);
  if (busybox === undefined) console.log('skipped: busybox (needs busybox)');
  else {
    users('by busybox, where there is no setpriv that can', async () => {
      const bin = folder('hearth-busybox-');
      for (const applet of ['busybox', 'setpriv', 'getent']) symlinkSync(busybox, join(bin, applet));
      const by = new Users({ uid: 0, path: bin });
      const unit = { unit: 'a'.repeat(32), service: 's', spec: { run: 'x', user: name, env: { A: 'b c' } } };
      const script = 'id -u; id -G; echo "$HOME $A $0"; grep CapEff /proc/self/status; exit 7';
      const run = async (user: string) => {
        const launch = await by.launch({ ...unit, spec: { ...unit.spec, user } }, {}, ['sh', '-c', script, "it's"]);
        const [file = '', ...args] = launch.command;
        assert.match(file, /\/busybox$/);
        const { out, code } = await ask(file, args, patienceMs, { ...launch.environment });
        assert.is(code, 7, 'it is not in front of what it starts');
        return out.split('\n').slice(0, 4);
      };
      const groups = (await ask('/usr/bin/id', ['-G', name], patienceMs)).out.trim();
      const homeOf = passwd.find(([each]) => each === name)?.[5];
      assert.equal(await run(name), [uid, groups, `${homeOf} b c it's`, 'CapEff:\t0000000000000000']);
      const [user, all] = await run(`${name}:${group[0]}`);
      assert.equal([user, all?.split(' ')[0]], [uid, group[2]]);
      const nothing = await new Users({ uid: 0, path: folder() })
        .launch(unit, {}, ['id'])
        .catch((error: Error) => error);
      assert.match((nothing as Error).message, /^to run as \S+ needs the program setpriv/);
    });
  }
}

users('an agent that is not root starts only what is its own user’s', async () => {
  const unit = { unit: 'a'.repeat(32), service: 's', spec: { run: 'x', user: 'root' } };
  const other = new Users({ uid: 54_321, path });
  const refused = await other.launch(unit, {}, ['id']).then(
    () => undefined,
    (failed: Error) => failed.message,
  );
  assert.is(refused, 'to run as root needs root: the agent runs as another user');
  const { username, uid: own } = userInfo();
  const same = await new Users({ uid: own, path }).launch({ ...unit, spec: { run: 'x', user: username } }, {}, ['id']);
  assert.equal(same.command, ['id']);
  assert.is(same.environment.USER, username);
});

users('what stands on the command line is numbers and the command, each word as it is', () => {
  const account = { name: 'bob', uid: 1000, gid: 1001, home: '/home/bob', shell: '/bin/sh' };
  const words = ['run', '--x', "it's $y"];
  assert.equal(commandAs({ kind: 'setpriv', path: '/bin/setpriv' }, account, 5, words), [
    ...['/bin/setpriv', '--reuid=1000', '--regid=5', '--init-groups', '--inh-caps=-all', '--'],
    ...words,
  ]);
});

users.run();
