/** Payloads of desired state: what people say and what a node is to obey. */

import { z } from 'zod';
import { nodeInput, ownPayload, wantPayload } from '../schemas/node-document.ts';
import { serviceSchema } from '../schemas/service.ts';
import type { Payload } from './payload.ts';
import { authority, exampleAuthority, payload } from './payload.ts';

const setPayload = nodeInput.extend({
  rev: z.number().int().nonnegative().optional(),
  tx: z.string().max(64).optional(),
});

export const documentPayloads: readonly Payload[] = [
  payload(
    'node-set',
    'Node document, as people set it',
    setPayload,
    'A JSON merge patch (RFC 7396) to `…/set`: what is named is merged, `null` deletes. `…/set/<key…>` takes one value instead, and an empty payload clears it. Unknown keys are errors.',
    {
      services: 'services by name: a command line, or an object (see Service)',
      rev: 'optional: refused where the document has a higher revision',
      tx: 'optional: comes back in `result`',
    },
    { services: { hello: 'sleep 1000' } },
  ),
  payload(
    'service',
    'Service',
    serviceSchema,
    'Value of `services.<name>`. A bare command line is short for `{"run": …}`. A service starts when it appears, is restarted as `restart` says, and all its processes end when it is cleared.',
    {
      run: 'a string is one `/bin/sh -c` script; an array is argv, no shell',
      cwd: 'working directory, an absolute path',
      env: 'further environment variables',
      restart: '`always` (default), `on-failure` (not after exit code 0) or `never`',
      stop: '`signal`: the first signal, TERM by default; `grace_s`: seconds until KILL, 10 by default',
    },
    { run: ['python3', '-m', 'http.server', '8000'], cwd: '/srv', restart: 'on-failure', stop: { grace_s: 5 } },
  ),
  payload(
    'own',
    'Accepted document',
    ownPayload,
    'The document as people set it, with its revision. Retained.',
    { services: 'services by name', rev: 'revision that last changed it' },
    { services: { hello: { run: 'sleep 1000' } }, rev: 42 },
  ),
  payload(
    'want',
    'Compiled document',
    wantPayload,
    'What a node obeys: signed by the cluster (the key `sig` follows), ignored where its generation and revision are not above the last. Retained.',
    { ...authority, services: 'services by name, each with `from`: the topic of the document it comes from' },
    { ...exampleAuthority, services: { hello: { run: 'sleep 1000', from: 'node/n1' } } },
  ),
];
