/** What the parts of a join line cost: what a machine fetches, and what the supervisor works out for it. */
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { makeCsr } from '../../../node-agent/join/csr.ts';
import { silentLog } from '../../../shared/log.ts';
import { folder } from '../../fixture/processes.ts';
import { median } from '../statistics.ts';
import { figure, type Table } from '../table.ts';
import { joinLine, openCluster } from './joins.ts';
import { openAuthority } from './trust.ts';

const cluster = '0123456789abcdef0123456789abcdef';
const [batches, each] = [15, 100];

/** Microseconds of one call: the median of batches. */
async function micros(run: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const from = performance.now();
    for (let i = 0; i < each; i++) await run();
    times.push(((performance.now() - from) * 1000) / each);
  }
  return median(times);
}

/** Bytes of the script and of what it fetches; runtimes for Node are whatever the registry has. */
async function served(): Promise<Record<string, number>> {
  const running = await openCluster();
  try {
    await joinLine(running, 1);
    const base = `http://127.0.0.1:${running.ready.http}`;
    const bytes = async (path: string) => (await (await fetch(base + path)).arrayBuffer()).byteLength;
    const script = await (await fetch(`${base}/install.sh`)).text();
    const hashes = [...new Set(script.match(/\b[0-9a-f]{64}\b/g) ?? [])];
    const sizes = await Promise.all(hashes.map(hash => bytes(`/artifacts/${hash}`)));
    return {
      script: Buffer.byteLength(script),
      agent: Math.max(...sizes),
      bundle: await bytes('/trust/bundle'),
      time: await bytes('/trust/time?nonce=0123456789abcdef'),
    };
  } finally {
    await running.process.stop();
  }
}

export async function lineTable(): Promise<{ table: Table; bytes: object; times: object }> {
  const bytes = await served();
  const authority = await openAuthority(folder('hearth-bench-'), cluster, silentLog);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const csr = makeCsr(privateKey);
  const { pem } = await authority.issueNode(csr, 'n1');
  const { raw } = new X509Certificate(pem);
  if (!authority.verifyClient(new X509Certificate(raw))) throw new Error('the certificate does not verify');
  const times = {
    verify: await micros(() => authority.verifyClient(new X509Certificate(raw))),
    issue: await micros(() => authority.issueNode(csr, 'n1')),
  };
  authority.close();
  const rows = [
    ['install.sh, bytes', figure(bytes.script)],
    ['agent, as an archive, bytes', figure(bytes.agent)],
    ['trust bundle, bytes', figure(bytes.bundle)],
    ['signed time, bytes', figure(bytes.time)],
    ['certificate signed for a request, µs', figure(times.issue)],
    ['client certificate read and verified, µs', figure(times.verify)],
  ];
  return { table: { title: 'Parts of a join line', columns: ['', 'value'], rows }, bytes, times };
}
