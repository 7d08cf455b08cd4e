/**
 * What the agent reads from /proc and /sys, beside what systeminformation says about the same machine. Runs alone: it
 * measures what a sample costs, and compares two looks at a machine that should not change between them.
 */
import { execFileSync } from 'node:child_process';
import { loadavg } from 'node:os';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createProcTelemetry } from '../../node-agent/telemetry/proc.ts';
import { infoPayload } from '../../shared/schemas/telemetry.ts';
import { systemClock } from '../../shared/system-clock.ts';
import { until } from '../fixture/processes.ts';
import { cpuMs, within } from '../fixture/promised-time.ts';

const compare = suite('telemetry beside systeminformation');
const near = (ours: number | undefined, theirs: number, tolerance: number, what: string) => {
  assert.ok(ours !== undefined && Math.abs(ours - theirs) <= tolerance, `${what}: ${ours} beside ${theirs}`);
};

/** Compares what moves until it agrees once. */
async function agrees(look: () => Promise<void>, tries = 10): Promise<void> {
  await look().catch(error => {
    if (tries <= 1) throw error;
    return agrees(look, tries - 1);
  });
}

if (process.platform !== 'linux') console.log('skipped: telemetry beside systeminformation (needs Linux)');
else {
  compare('facts and measures agree', async () => {
    const si = await import('systeminformation');
    const folder = process.cwd();
    const one = createProcTelemetry({ clock: systemClock(), dataFolder: folder });
    const facts = await new Promise<Record<string, unknown>>(resolve => one.facts(resolve));
    infoPayload.parse({ node: 'n', ...facts });
    const [cpu, mem, os] = [await si.cpu(), await si.mem(), await si.osInfo()];
    assert.is(facts.cores, cpu.cores);
    near(facts.mem_mb as number, mem.total / 2 ** 20, 1, 'mem_mb');
    assert.match(String(facts.os), new RegExp(os.distro.split(' ')[0] ?? ''));
    const { load } = await until('the disk was asked', () => {
      const sample = one.sample();
      return sample.load.disk_pct === undefined ? undefined : sample;
    });
    near(load.up_s, si.time().uptime, 5, 'up_s');
    // Both move: other programs come and go between the two looks, and the kernel counts the load anew every 5 s.
    await agrees(async () => {
      const ours = one.sample().load.mem_mb;
      const { total, available } = await si.mem();
      near(ours, (total - available) / 2 ** 20, 300, 'mem_mb used');
    });
    await agrees(async () => near(one.sample().load.load1, loadavg()[0] ?? 0, 0.1, 'load1'));
    const df = execFileSync('df', ['--output=pcent', folder], { encoding: 'utf8' });
    near(load.disk_pct, Number(/(\d+)%/.exec(df)?.[1]), 1.1, 'disk_pct');
  });

  compare('a busy core is seen, and a sample takes well under a millisecond', async () => {
    const one = createProcTelemetry({ clock: systemClock(), dataFolder: '/' });
    for (const end = performance.now() + 600; performance.now() < end; );
    const { load, cores } = one.sample();
    const whole = (cores?.length ?? 1) * Number(load.cpu_pct);
    assert.ok(whole >= 60, `${whole} % of a core`);
    for (let round = 0; round < 50; round++) one.sample();
    const samples = 200;
    await within('CPU time of a sample', 1, async () => {
      const ms = (await cpuMs(async () => Array.from({ length: samples }, () => one.sample()))) / samples;
      console.log(`  ${ms.toFixed(3)} ms of CPU per sample`);
      return ms;
    });
  });
}

compare.run();
