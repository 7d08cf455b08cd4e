/** Archives that would fill the disk, or are none. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import { tar, zip } from '../fixture/files/archives.ts';
import { refused } from '../fixture/files/unpacking.ts';
import { until } from '../fixture/processes.ts';

const archives = suite('files bombs');

archives('bombs are refused: too many entries, too many bytes, too much out of too little, packed twice', async () => {
  const many = Array.from({ length: 30 }, (_, at) => ({ name: `f${at}`, body: '' }));
  await refused(tar(many), /more than 20 entries/, { limits: { entries: 20 } });
  await refused(tar([{ name: 'a/b/c/d/e/f', body: 'x' }]), /more than 5 entries/, { limits: { entries: 5 } });
  await refused(zip(many), /more than 20 entries/, { limits: { entries: 20 } });
  const zeros = Buffer.alloc(3_000_000);
  await refused(tar([{ name: 'a', body: zeros }]), /larger than 2 MB/, { limits: { bytes: 2_000_000 } });
  await refused(zip([{ name: 'a', body: zeros, isPacked: true }]), /larger than 2 MB/, {
    limits: { bytes: 2_000_000 },
  });
  const small = { limits: { ratioFrom: 1_000_000 } };
  await refused(gzipSync(tar([{ name: 'a', body: zeros }])), /taken for a bomb/, small);
  await refused(zip([{ name: 'a', body: zeros, isPacked: true }]), /taken for a bomb/, small);
  await refused(gzipSync(gzipSync(tar([{ name: 'a', body: randomBytes(5000) }]))), /is no tar archive/);
  await refused(tar([{ name: `${'d/'.repeat(60)}x`, body: 'x' }]), /deeper than 48/);
  await refused(tar([{ name: `${'d'.repeat(300)}`, body: 'x' }]), /longer than 255/);
  await refused(tar([{ name: `${'dir/'.repeat(300)}x`, body: 'x' }]), /longer than 1024/);
});

archives('what is cut off, damaged or no archive is refused', async () => {
  const bytes = tar([{ name: 'a', body: 'x'.repeat(5000) }]);
  await refused(bytes.subarray(0, 2000), /middle of|damaged/);
  await refused(gzipSync(bytes).subarray(0, 40), /damaged/);
  await refused(Buffer.from('hello, world'), /no archive that is known/);
  await refused(Buffer.alloc(0), /no archive that is known/);
  const broken = Buffer.from(
    tar([
      { name: 'a', body: 'x' },
      { name: 'b', body: 'y' },
    ]),
  );
  broken.write('zzz', 1024 + 10);
  await refused(broken, /damaged/);
  await refused(zip([{ name: 'a', body: 'x' }]).subarray(0, 60), /damaged/);
});

archives('no file stays open, however an archive ends', async () => {
  if (process.platform !== 'linux') return console.log('skipped: open files are not told here');
  const open = () => fs.readdirSync('/proc/self/fd').length;
  const before = open();
  const big = tar([
    { name: 'a', body: randomBytes(300_000) },
    { name: 'b', body: randomBytes(300_000) },
  ]);
  for (let round = 0; round < 20; round++) {
    await refused(big, /larger than 0 MB/, { limits: { bytes: 100_000 + round * 20_000 } });
    await refused(gzipSync(big).subarray(0, 200_000 + round * 1000), /damaged/);
    await refused(zip([{ name: 'a', body: big }]), /larger than 0 MB/, { limits: { bytes: 100_000 } });
  }
  await until('all are closed', () => open() <= before);
});

archives.run();
