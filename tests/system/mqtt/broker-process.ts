/** The embedded broker in a process of its own, to be killed or stopped. argv: folder of the cache. Prints what it is told. */
import { openRig } from './rig.ts';

const [cacheFolder] = process.argv.slice(2);
const rig = await openRig({ ...(cacheFolder && { cacheFolder }) });
rig.told.push = (...lines) => {
  for (const line of lines) console.log(line);
  return 0;
};
console.log(`port ${rig.port}`);
