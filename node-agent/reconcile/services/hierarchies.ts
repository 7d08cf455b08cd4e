/** Which cgroup hierarchies a machine has mounted, and where the agent stands in each. Pure: from the text of two files. */
import { join } from 'node:path';

/** Groups of units are made in groups of this name. */
export const unitsFolder = 'hearth-units';
/** Of the machine's 100 for anybody else; together, not each. */
export const unitsWeight = '50';

export interface Hierarchy {
  readonly version: 1 | 2;
  /** Of version 1: what it controls (`cpu`, `cpuacct`). Version 2 says that in files of its own. */
  readonly controllers: readonly string[];
  /** Its mount point. */
  readonly top: string;
  /** The agent's own group: `top` or a folder below it. */
  readonly own: string;
}

/**
 * @param mountinfo of /proc/self/mountinfo (proc(5)): `36 35 98:0 ROOT POINT OPTIONS … - TYPE SOURCE SUPEROPTIONS`
 * @param cgroup of /proc/self/cgroup (cgroups(7)): `ID:CONTROLLERS:PATH`, version 2 as `0::PATH`
 */
export function hierarchiesOf(mountinfo: string, cgroup: string): Hierarchy[] {
  const seen = new Set<string>();
  return mountinfo.split('\n').flatMap(line => {
    const [before = '', after = ''] = line.split(' - ');
    const [type, , options = ''] = after.split(' ');
    if (type !== 'cgroup' && type !== 'cgroup2') return [];
    const [, , , root = '', point = ''] = before.split(' ');
    const version = type === 'cgroup2' ? 2 : 1;
    const own = cgroup.split('\n').find(each => {
      const [, controllers = ''] = each.split(':');
      return version === 2 ? each.startsWith('0::') : controllers !== '' && isAmong(controllers, options);
    });
    if (own === undefined) return [];
    const [, controllers = ''] = own.split(':');
    // The same hierarchy may be mounted more than once.
    const key = `${version} ${controllers}`;
    const folder = ownFolder(unescaped(root), own.slice(own.indexOf(':', own.indexOf(':') + 1) + 1));
    if (folder === undefined || seen.has(key)) return [];
    seen.add(key);
    const top = unescaped(point);
    return [
      {
        version,
        controllers: controllers.split(',').filter(Boolean),
        top,
        own: folder === '/' ? top : join(top, folder),
      },
    ];
  });
}

const isAmong = (controllers: string, options: string): boolean => {
  const all = options.split(',');
  return controllers.split(',').every(each => all.includes(each));
};

/** Below the mount point; what is mounted may itself be a group (in a container). Undefined: not to be reached from it. */
function ownFolder(root: string, own: string): string | undefined {
  if (own.split('/').includes('..')) return undefined;
  if (root === '/' || root.startsWith('/..')) return own;
  if (own === root) return '/';
  return own.startsWith(`${root}/`) ? own.slice(root.length) : '/';
}

/** Blanks and the like stand as `\040` in mountinfo. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
