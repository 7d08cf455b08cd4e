/** `dns`: asks a DNS server itself (c-ares), not the machine's other sources of names such as /etc/hosts. */
import { Resolver } from 'node:dns/promises';
import type { Check } from '../../../shared/schemas/check.ts';
import { fail, pass } from '../finding.ts';
import type { Probe } from '../real-prober.ts';

type Type = NonNullable<NonNullable<Check['dns']>['type']>;

/** Answers as texts, in the way that zone files write them (RFC 1035, section 5.1). */
const ask: Readonly<Record<Type, (resolver: Resolver, name: string) => Promise<readonly string[]>>> = {
  A: (resolver, name) => resolver.resolve4(name),
  AAAA: (resolver, name) => resolver.resolve6(name),
  CNAME: (resolver, name) => resolver.resolveCname(name),
  NS: (resolver, name) => resolver.resolveNs(name),
  PTR: (resolver, name) => resolver.resolvePtr(name),
  TXT: async (resolver, name) => (await resolver.resolveTxt(name)).map(parts => parts.join('')),
  MX: async (resolver, name) => (await resolver.resolveMx(name)).map(one => `${one.priority} ${one.exchange}`),
  SRV: async (resolver, name) =>
    (await resolver.resolveSrv(name)).map(one => `${one.priority} ${one.weight} ${one.port} ${one.name}`),
};

const why: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such name',
  ENODATA: 'the name has no such record',
  ESERVFAIL: 'the server says that it failed',
  EREFUSED: 'the server refuses to answer',
  ECONNREFUSED: 'no DNS server answers',
  ETIMEOUT: 'no DNS server answers',
  ECANCELLED: 'no answer in time',
};

export const dns: Probe<'dns'> = async ({ name, type = 'A', expected, server }, _, signal) => {
  const resolver = new Resolver({ timeout: 2000, tries: 3 });
  if (server !== undefined) resolver.setServers([server]);
  const cancel = () => resolver.cancel();
  signal.addEventListener('abort', cancel);
  try {
    const answers = await ask[type](resolver, name);
    const shown = answers.slice(0, 4).join(', ');
    if (answers.length === 0) return fail(`${name} has no ${type} record`);
    if (expected !== undefined && !answers.includes(expected)) return fail(`${name} is ${shown}, not ${expected}`);
    return pass(expected === undefined ? `${name} resolves` : `${name} is ${expected}`);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    return fail(`${name}: ${why[code] ?? code}`);
  } finally {
    signal.removeEventListener('abort', cancel);
  }
};
