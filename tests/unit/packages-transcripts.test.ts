import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { providerOf } from '../../node-agent/reconcile/packages/providers.ts';
import { manualClock } from '../fixture/manual-clock.ts';
import { memoryLedger, PackageRig } from '../fixture/packages/packages-rig.ts';
import { playing, plays, transcript } from '../fixture/packages/transcript.ts';

const packages = suite('packages: transcripts');

for (const [name, play] of Object.entries(plays)) {
  packages(`${name}: asked as it was when recorded, and its answers understood`, () => {
    const clock = manualClock();
    const left = transcript(name);
    const disk = memoryLedger();
    const machine = playing(play, providerOf(play.provider).program, left, clock);
    const node = new PackageRig({ machine, disk, clock });
    node.attentive = false;
    node.start();
    for (const { wanted, states, errors = {}, before } of play.acts) {
      const items = Object.entries(wanted).map(([item, one]) => [item, { ...one, provider: play.provider }] as const);
      let attempted = false;
      node.apply(Object.fromEntries(items), () => {
        attempted = true;
      });
      clock.advance(10_000);
      assert.ok(attempted, `${before ?? ''} ${JSON.stringify(wanted)}`);
      assert.equal(node.states(), states, before);
      for (const [item, part] of Object.entries(errors)) assert.match(node.status(item)?.err ?? '', part);
    }
    assert.equal(left, []);
    node.close();
  });
}

packages.run();
