/** Answers, orders, and what is said about the cluster as a whole. */

import { eventPayload, fabricInfo, resultPayload } from '../schemas/fabric.ts';
import { cmdPayload, donePayload } from '../schemas/node-document.ts';
import { helloPayload, statusPayload } from '../schemas/presence.ts';
import type { Payload } from './payload.ts';
import { at, authority, cluster, exampleAuthority, inst, payload } from './payload.ts';

export const fabricPayloads: readonly Payload[] = [
  payload(
    'result',
    'Answer to a set or do',
    resultPayload,
    'Sent to the `result` of what was addressed; to `<base>/result` where the address was not valid. `ok` is said only after the journal is on stable storage.',
    {
      ok: 'accepted, or refused',
      part: '`set` or `do`',
      key: 'key path of the `set`, with dots, or verb of the `do`',
      value: 'what was sent, cut at 64 characters',
      error: 'why it was refused and what to do',
      rev: 'revision after it, where something was accepted',
      by: 'client id of the sender, where the broker tells',
      at_ms: at,
      tx: "echo of the sender's own mark",
      state: 'of a `do`: `accepted`, then `finished`',
      n: 'of a `do` to a group: how many nodes',
      ok_n: 'how many did it',
      failed: 'who did not, comma-joined',
      topic: 'the topic, where it was no valid address',
    },
    { ok: true, part: 'set', key: 'services.hello', value: 'sleep 1000', rev: 42, at_ms: 1_800_000_000_000 },
  ),
  payload(
    'cmd',
    'Order to a node',
    cmdPayload,
    'What became of a `do`: signed (the key `sig` follows), bound to one session of one node, obeyed once.',
    {
      ...authority,
      id: 'names the order in `done`',
      seq: 'rises with every order; none is obeyed that is not above the last',
      inst: `${inst}; another installation ignores the order`,
      epoch: 'session it is for; another one ignores it',
      verb: '`restart follow rebirth forget`, and `backoff` from the supervisor itself',
      args: 'arguments of the verb',
    },
    {
      ...exampleAuthority,
      id: 'c1',
      seq: 1,
      inst: '0123456789abcdef',
      epoch: 17,
      verb: 'restart',
      args: { service: 'hello' },
    },
  ),
  payload(
    'done',
    'Answer to an order',
    donePayload,
    'The supervisor turns it into a `result` with `state` `finished`.',
    { id: 'of the order', ok: 'done, or not', error: 'why not' },
    { id: 'c1', ok: true },
  ),
  payload(
    'hello',
    'Call for births',
    helloPayload,
    'From the supervisor at every start and reconnect; every node answers with birth, `info` and `is`.',
    {
      cluster,
      boot: 'random name of the supervisor process',
      gen: authority.gen,
      rev: authority.rev,
      standing:
        'for two supervisors that meet: `probing` asks whether it is alone, `returning` has just come back, `settled` (default) neither',
      ver: 'version of the supervisor',
      proto: 'version of the wire format',
      at_ms: at,
      bundle: 'serial of the trust bundle; a node that knows a lower one fetches it',
    },
    {
      cluster: exampleAuthority.cluster,
      boot: 'b0',
      gen: 0,
      rev: 42,
      ver: '0.1.0',
      proto: 1,
      at_ms: 1_800_000_000_000,
    },
  ),
  payload(
    'event',
    'Event',
    eventPayload,
    'Something worth knowing.',
    {
      at_ms: at,
      level: '`info warn error`',
      kind: 'a stable word',
      node: 'id, where it is about one',
      text: 'a sentence',
    },
    { at_ms: 1_800_000_000_000, level: 'warn', kind: 'crash-loop', node: 'n1', text: 'hello ended 5 times in 10 s' },
  ),
  payload(
    'fabric-info',
    'The cluster as a whole',
    fabricInfo,
    'Every 10 s, flat.',
    {
      ver: 'version of the supervisor',
      nodes: 'nodes known',
      online: 'nodes online',
      cores: 'cores of the nodes online',
      watts: 'power of the nodes that measure it, W',
      jobs_queued: 'jobs waiting',
      jobs_running: 'jobs running',
    },
    { ver: '0.1.0', nodes: 3, online: 2, cores: 8, jobs_queued: 0, jobs_running: 0 },
  ),
  {
    name: 'status',
    title: 'Status',
    schema: statusPayload,
    text: 'Bare text, not JSON: exactly `online` or `offline`. Retained, written only by the supervisor.',
    example: 'online',
  },
];
