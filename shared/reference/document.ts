/** Payloads of desired state: what people say and what a node is to obey. */

import { z } from 'zod';
import { checkFields } from '../schemas/check.ts';
import { fileSchema } from '../schemas/file.ts';
import { nodeInput, ownPayload, roleInput } from '../schemas/node-document.ts';
import { packageSchema } from '../schemas/package.ts';
import { serviceSchema } from '../schemas/service.ts';
import { wantPayload } from '../schemas/want.ts';
import type { Payload } from './payload.ts';
import { authority, exampleAuthority, payload } from './payload.ts';

const marks = { rev: z.number().int().nonnegative().optional(), tx: z.string().max(64).optional() };
const setPayload = nodeInput.extend(marks);
const roleSetPayload = roleInput.extend(marks);

const aboutChecks: Readonly<Record<string, string>> = {
  severity: 'what its failing means: `info`, `warning` (default), `critical`',
  every_s: 'seconds between two looks, 60 by default',
  timeout_s: 'seconds that one look may take, 10 by default',
  runbook: 'what to do when it fails: a sentence or an address',
  set: 'a shipped set instead of an assertion',
  skip: 'checks of the set that are left out',
};
const items = {
  agent:
    'which agent nodes are to be: `follow` (the supervisor\'s own, filled in by it), or `{"ver", "sha256"}` of an archive in the artifact store',
  heat: 'its part in heating (see Node’s part in heating)',
  jobs: 'its part in jobs (see Node’s part in jobs)',
  packages: 'packages by name: `installed`, `absent`, a version, or an object (see Package)',
  files: 'files by name (see File)',
  services: 'services by name: a command line, or an object (see Service)',
  checks: 'checks by name: a command line, or an object (see Check)',
  applied: 'which items each file given to `hearth apply` put here',
};
const drain = 'it takes no new work: what `do/drain` sets and `do/resume` clears';
const ofNode = {
  ...items,
  drain,
  labels: 'what is known of the machine, such as `room`; shown in `info` as `label_<name>`, `room` and `zone` as such',
  roles: 'roles it has beside `all`: a list, or comma-separated; those that it was given when it joined come on top',
};
/** The kinds of assertions explain themselves in docs/checks.md, which is held against the schema by a test. */
const checkTexts = Object.fromEntries(
  Object.keys(checkFields.shape).map(key => [key, aboutChecks[key] ?? 'an assertion of this kind: see docs/checks.md']),
) as { [Key in keyof typeof checkFields.shape]: string };

const asked = {
  rev: 'optional: refused where the document has a higher revision',
  tx: 'optional: comes back in `result`',
};

export const documentPayloads: readonly Payload[] = [
  payload(
    'node-set',
    'Node document, as people set it',
    setPayload,
    'A JSON merge patch (RFC 7396) to `…/set`: what is named is merged, `null` deletes. `…/set/<key…>` takes one value instead, and an empty payload clears it. Unknown keys are errors.',
    { ...ofNode, ...asked },
    { services: { hello: 'sleep 1000' } },
  ),
  payload(
    'role-set',
    'Role document, as people set it',
    roleSetPayload,
    "As a node's, on `hearth/role/<role>/set`: every node that has the role gets it, and `all` is a role of every node. What a node's own document says about an item comes before its roles', theirs before `all`. Where two roles differ about an item, what the node had stays, and `is` names both.",
    { ...items, rollout: 'how a change reaches its nodes (see Rollout), or `off`: all at once', ...asked },
    { packages: { htop: 'installed' }, services: { hello: 'sleep 1000' } },
  ),
  payload(
    'package',
    'Package',
    packageSchema,
    'Value of `packages.<name>`. The words `installed` and `absent`, and a version, are short for `{"state": …}` and `{"version": …}`. Taken away again when it is cleared, where Hearth put it there.',
    {
      name: "the package manager's name for it, where it is not the item's: `g++`, `@scope/name`",
      state: '`installed` (default) or `absent`',
      version: 'exactly this version; without it, whichever is installed will do',
      provider: "`apt dnf pacman apk brew npm pip`; by default the system's own",
      into: 'pip: the virtual environment; npm: the prefix',
      hold: "others' upgrades leave it at its version",
      drift: '`repair` (default) or `report` what somebody else changed',
    },
    { name: 'g++', version: '4:12.2.0-3', hold: true },
  ),
  payload(
    'file',
    'File',
    fileSchema,
    'Value of `files.<name>`: `content` or a `source`. What was at its path before Hearth is kept, and put back when the item is cleared.',
    {
      path: 'where it goes: a file, or with `unpack` the folder that the archive becomes',
      content: 'the text itself, at most 16 kB',
      source: "`http://…`, `https://…`, `file:///…`, or `artifact:<sha256>` of the supervisor's store",
      sha256: "of the source's bytes; needed for http and https",
      unpack: 'the source is an archive: tar, tar.gz or zip',
      strip: 'leading folders that are taken off the names in the archive',
      template: 'facts such as `{{ node.id }}` are filled in',
      mode: 'permissions, octal, 0644 by default',
      owner: "`user` or `user:group`; by default the agent's own",
      state: '`present` (default) or `absent`',
      drift: '`repair` (default) or `report` what somebody else changed',
    },
    { path: '/etc/motd', content: 'This is {{ node.id }}.\n', template: true },
  ),
  payload(
    'service',
    'Service',
    serviceSchema,
    'Value of `services.<name>`. A bare command line is short for `{"run": …}`. A service starts when it appears, is restarted as `restart` says, and all its processes end when it is cleared.',
    {
      run: 'a string is one `/bin/sh -c` script; an array is argv, no shell; needed unless there is an `image`',
      cwd: 'working directory, an absolute path',
      env: 'further environment variables',
      restart: '`always` (default), `on-failure` (not after exit code 0) or `never` (default with a schedule)',
      after:
        'items that are attempted first where the node has them: `services/db` (or `db`), `packages/chuffed`, `files/app`',
      needs: 'items without which it is not started; a file or package among them that changes restarts it',
      reload: 'signal or command instead of that restart, where a file changed',
      health:
        'one of `command`, `http` (an address, or `url status contains`), `tcp` (`5432`, `HOST:PORT`), `log`, `no_log`; with `every_s` (10), `timeout_s` (5), `start_s` (30), `fails` (3), `within_s` (30, of `log`)',
      ready:
        'from when on others that wait for it start: `health`, `exit` (it ended with code 0), `{"log": "text"}`, `{"delay_s": 5}`; by default when it runs',
      schedule:
        'times at which it runs, once each: `30 3 * * *`, `@daily`, or an object with `cron`, `timezone`, `catch_up`',
      limits:
        '`memory_mb` (of 1024 kB), `cpu_pct` (100 is one core), `pids` (processes and threads), `nice` (0 to 19); changed without a restart',
      user: '`user` or `user:group` that it runs as; needs an agent that runs as root',
      image: 'runs in a container of podman or docker; without `run` the image’s own command',
      volumes: 'of a container: `/HERE:/IN/IT`, with `:ro` to read only',
      ports: 'of a container: `HERE:IN_IT`, such as `8080:80`',
      log_mb: 'output kept on the node, MB: the newest so many and as much before; 1 by default',
      stop: '`signal`: the first signal, TERM by default; `grace_s`: seconds until KILL, 10 by default',
    },
    { run: ['python3', '-m', 'http.server', '8000'], cwd: '/srv', restart: 'on-failure', stop: { grace_s: 5 } },
  ),
  payload(
    'check',
    'Check',
    checkFields,
    'Value of `checks.<name>`: what must be so on the node, looked at again and again. A bare command line is short for `{"command": {"run": …}}`. Results are items of `is`; docs/checks.md has every kind and the shipped sets.',
    checkTexts,
    { severity: 'critical', disk: { path: '/', max_pct: 90 } },
  ),
  payload(
    'own',
    'Accepted document',
    ownPayload,
    'The document as people set it, with its revision. Retained.',
    {
      agent: items.agent,
      heat: items.heat,
      jobs: items.jobs,
      packages: 'packages by name',
      files: 'files by name',
      services: 'services by name',
      checks: 'checks by name',
      applied: items.applied,
      drain,
      labels: ofNode.labels,
      roles: 'roles it has beside `all` and those that it was given when it joined',
      rev: 'revision that last changed it',
    },
    { services: { hello: { run: 'sleep 1000' } }, rev: 42 },
  ),
  payload(
    'want',
    'Compiled document',
    wantPayload,
    'What a node obeys: signed by the cluster (the key `sig` follows), ignored where its generation and revision are not above the last. Retained.',
    {
      ...authority,
      roles: 'all its roles but `all`, sorted',
      labels: 'what the cluster says about the machine',
      drain: 'whether it takes no new work',
      agent: '`ver` and `sha256` of the agent that it is to be',
      jobs: 'its part in jobs: `slots inline scripts plugins`, what nobody said absent',
      packages: 'packages by name, each with `from`: the document that it comes from, such as `role/web`',
      files: 'files by name, likewise',
      services: 'services by name, likewise',
      checks: 'checks by name, likewise',
      conflicts: 'items about which two roles differ, a sentence each',
    },
    { ...exampleAuthority, services: { hello: { run: 'sleep 1000', from: 'node/n1' } } },
  ),
];
