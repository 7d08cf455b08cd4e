/** `do/upgrade`: lists, then everything; waits for another run of the manager; told as an item. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Command, Failure, Finished, Progress } from '../../node-agent/reconcile/packages/provider.ts';
import { providerOf } from '../../node-agent/reconcile/packages/providers.ts';
import { drive } from '../../node-agent/reconcile/packages/talk.ts';
import { upgradeAll } from '../../node-agent/reconcile/packages/upgrade.ts';
import { type RunUpgrade, Upgrading } from '../../node-agent/reconcile/upgrading.ts';
import { silentLog } from '../../shared/log.ts';
import { packageProviders } from '../../shared/schemas/package.ts';
import { manualClock } from '../fixture/manual-clock.ts';

const test = suite('upgrade');

const fine: Finished = { code: 0, out: '', err: '' };

/** What a manager is asked for, with the answers given in turn; the last one goes on. */
function upgraded(name: (typeof packageProviders)[number], answers: readonly Finished[] = [fine]) {
  const clock = manualClock();
  const asked: string[] = [];
  const told: Progress[] = [];
  let end: { failure: Failure | undefined } | undefined;
  const run = (command: Command, _: unknown, done: (finished: Finished) => void) => {
    asked.push(command.argv.join(' '));
    clock.after(1, () => done(answers[Math.min(asked.length, answers.length) - 1] ?? fine));
    return { kill() {} };
  };
  drive(upgradeAll(providerOf(name)), { clock, run, tell: progress => void told.push(progress) }, failure => {
    end = { failure };
  });
  clock.advance(60_000);
  return { asked, told, end };
}

test('every manager of a system: the lists first, then everything', () => {
  const verbs = Object.fromEntries(
    packageProviders.map(name => [
      name,
      upgraded(name).asked.map(line => line.split(' ').filter(word => !word.startsWith('-'))),
    ]),
  );
  assert.equal(verbs.dnf, [
    ['dnf', 'makecache'],
    ['dnf', 'upgrade'],
  ]);
  assert.equal(verbs.apk, [
    ['apk', 'update'],
    ['apk', 'upgrade'],
  ]);
  assert.equal(verbs.brew, [
    ['brew', 'update'],
    ['brew', 'upgrade'],
  ]);
  const apt = upgraded('apt');
  assert.match(apt.asked[0] ?? '', /^apt-get .* update$/);
  assert.match(apt.asked[1] ?? '', /^apt-get -y .*APT::Get::AutomaticRemove=false .*--with-new-pkgs upgrade$/);
  assert.equal(apt.end, { failure: undefined });
  assert.match(upgraded('pacman').asked.at(-1) ?? '', /^pacman -Syu /);
  for (const name of ['npm', 'pip'] as const) {
    const other = upgraded(name);
    assert.match(other.end?.failure?.sentence ?? '', /Hearth does not upgrade with/);
    assert.equal(other.asked, []);
  }
});

test('a network that is away ends it before anything is changed; another apt is waited for', () => {
  const away = upgraded('apt', [
    { code: 100, out: '', err: "E: Failed to fetch x  Temporary failure resolving 'deb'\n" },
  ]);
  assert.is(away.end?.failure?.why, 'network');
  assert.is(away.asked.length, 1);
  const lock =
    'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 17 (apt)\nE: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?\n';
  const waited = upgraded('apt', [fine, { code: 100, out: '', err: lock }, fine]);
  assert.equal(waited.end, { failure: undefined });
  assert.is(waited.asked.length, 3);
  assert.ok(waited.told.some(({ waiting }) => waiting?.includes('17')));
});

function rig(answer: (tell: (progress: Progress) => void) => ReturnType<RunUpgrade>, fails = '') {
  let ends: (failure: Failure | undefined) => void = () => {};
  let loads = 0;
  const clock = manualClock();
  const under = new Upgrading({
    ...{ clock, log: silentLog },
    async load() {
      loads++;
      if (fails) throw new Error(fails);
      return (tell, done) => {
        ends = done;
        return answer(tell);
      };
    },
  });
  let changes = 0;
  under.start({ changed: () => changes++, notice() {} });
  const upgrade = () => new Promise<string | undefined>(resolve => under.upgrade(resolve));
  const item = () => under.items().upgrade;
  return {
    under,
    clock,
    upgrade,
    item,
    end: (failure?: Failure) => ends(failure),
    loads: () => loads,
    changes: () => changes,
  };
}

test('it is answered when it has begun, told as it goes on, and how it ended', async () => {
  let abandoned = 0;
  const it = rig(tell => {
    tell({ phase: 'downloading', name: 'vim', pct: 41.7 });
    return { abandon: () => abandoned++ };
  });
  assert.equal([it.under.items(), it.loads()], [{}, 0]);
  assert.is(await it.upgrade(), undefined);
  assert.equal([it.item()?.state, it.item()?.doing], ['changing', 'downloading vim (41 %)']);
  assert.is(await it.upgrade(), undefined, 'one at a time, and both are told so');
  assert.is(it.loads(), 1);
  it.clock.advance(5000);
  it.end();
  assert.equal([it.item()?.state, it.item()?.since_ms], ['ok', it.clock.wall()]);
  it.under.close();
  assert.is(abandoned, 0, 'what is over is not abandoned');
});

test('what cannot be is one sentence, and an item that failed', async () => {
  const refused = rig(() => ({ refused: 'apt needs root' }));
  assert.is(await refused.upgrade(), 'apt needs root');
  assert.equal([refused.item()?.state, refused.item()?.err], ['failed', 'apt needs root']);
  assert.match((await rig(() => ({ abandon() {} }), 'gone').upgrade()) ?? '', /cannot be loaded \(gone\): restart it/);
  const failed = rig(() => ({ abandon() {} }));
  await failed.upgrade();
  failed.end({ sentence: 'the disk is full' });
  assert.equal([failed.item()?.state, failed.item()?.err], ['failed', 'the disk is full']);
});

test.run();
