/** `hearth export` is the inverse of `hearth apply`: of any cluster, through YAML, and back. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readClusterFile } from '../../cli/apply/cluster-file.ts';
import { type Document, entriesOf, type NounPath, nounOf } from '../../cli/apply/document.ts';
import { exportText } from '../../cli/apply/export-file.ts';
import { inputs } from '../../cli/apply/inputs.ts';
import { type Documents, planAll } from '../../cli/apply/plan.ts';
import { sameJson } from '../../shared/same-json.ts';
import { clusters } from '../fixture/random-documents.ts';

const test = suite('apply: export');

const at = (documents: ReadonlyMap<NounPath, Document>): Documents =>
  new Map([...documents].map(([path, document]) => [path, { document, rev: 7 }]));
const told = (documents: Documents) => exportText(documents, { name: 'main', schema: undefined });
const read = (text: string) => readClusterFile({ text, file: 'main.yaml', folder: '/nowhere' });
const saidIn = async (text: string) =>
  new Map([...(await read(text)).said].map(([path, { document }]) => [path, document]));

test('applying what was exported changes nothing, pruning or not', async () => {
  await fc.assert(
    fc.asyncProperty(clusters, fc.boolean(), async (cluster, prune) => {
      const documents = at(cluster);
      const said = await saidIn(told(documents));
      const plans = planAll(documents, said, { name: 'exported', prune, adopt: false });
      assert.equal(
        plans.filter(({ patch }) => patch).map(({ path, patch }) => [path, patch]),
        [],
      );
      // A file of a name that is known there already at most corrects the book, of what is gone.
      for (const plan of planAll(documents, said, { name: 'main', prune, adopt: false })) {
        assert.equal([plan.added, plan.changed, plan.removed], [[], [], []]);
        assert.equal(
          Object.keys(plan.patch ?? {}).filter(key => key !== 'applied'),
          [],
        );
      }
    }),
    { numRuns: 60 },
  );
});

test('applied to an empty cluster it gives the same documents', async () => {
  await fc.assert(
    fc.asyncProperty(clusters, async cluster => {
      const said = await saidIn(told(at(cluster)));
      const empty = at(new Map([...cluster.keys()].filter(path => path.startsWith('node/')).map(path => [path, {}])));
      const after = new Map(
        planAll(empty, said, { name: 'main', prune: false, adopt: false }).map(one => [one.path, one.after]),
      );
      for (const [path, document] of cluster) {
        const given = after.get(path) ?? {};
        const [wanted, found] = [entriesOf(document), entriesOf(given)];
        assert.ok(
          sameJson(Object.fromEntries(wanted), Object.fromEntries(found)),
          `${path}: ${JSON.stringify([document, given])}`,
        );
        assert.equal(given.roles ?? [], document.roles ?? []);
        assert.ok(inputs[nounOf(path)].safeParse(given).success, 'and the supervisor would take it');
      }
    }),
    { numRuns: 60 },
  );
});

test('it is the same text each time, whatever the order in which the documents came', () => {
  fc.assert(
    fc.property(clusters, cluster => {
      assert.is(told(at(cluster)), told(at(new Map([...cluster].reverse()))));
    }),
  );
});

test('short forms where they lose nothing, the long one where they would', () => {
  const text = told(
    at(
      new Map<NounPath, Document>([
        [
          'role/all',
          {
            packages: { htop: { state: 'installed' }, a: { version: '1.10' }, odd: { version: 'absent' } },
            checks: { up: { command: { run: 'true' } }, slow: { command: { run: 'true' }, every_s: 600 } },
            services: { web: { run: './serve' }, db: { run: ['db', '-x'], cwd: '/' } },
            agent: { follow: true, ver: '1.2', sha256: 'a'.repeat(64) },
            applied: { main: ['services/web'] },
          },
        ],
        ['role/none', { services: {} }],
        ['node/n1', { roles: [], labels: { room: 'attic' }, services: {} }],
      ]),
    ),
  );
  assert.is(
    text,
    `version: 1
name: main
roles:
  all:
    packages:
      a: "1.10"
      htop: installed
      odd:
        version: absent
    services:
      db:
        run:
          - db
          - -x
        cwd: /
      web: ./serve
    checks:
      slow:
        command:
          run: "true"
        every_s: 600
      up: "true"
    agent: follow
nodes:
  n1:
    labels:
      room: attic
`,
  );
});

test('a sealed secret stays as it is', async () => {
  const sealed = `sealed:v1:${'A'.repeat(120)}`;
  const document = { services: { web: { run: 'x', env: { TOKEN: sealed } } } };
  const text = exportText(at(new Map([['node/n1', document]])), { name: 'main', schema: 'file:///s.json' });
  assert.match(text, /^# yaml-language-server: \$schema=file:\/\/\/s\.json\nversion: 1\n/);
  assert.ok(text.includes(sealed));
  assert.equal((await saidIn(text)).get('node/n1'), document);
});

test('what is not seen is escaped, and comes back; text of lines stays text of lines', async () => {
  for (const odd of ['\u001b[2J', '\u202eevil', '\u0085', '\u2028', '\ufeff', '\ud800', 'a\r\nb', '\u200b', '\u0007']) {
    const document = { services: { web: { run: `x ${odd}` } } };
    const text = told(at(new Map([['node/n1', document]])));
    assert.match(text, /^[\n\x20-\x7e]*$/, JSON.stringify(odd));
    assert.equal((await saidIn(Buffer.from(text).toString())).get('node/n1'), document);
  }
  const content = 'all:\n\techo "Grüße 🔥"\n';
  const makefile = told(at(new Map([['node/n1', { files: { m: { path: '/Makefile', content } } }]])));
  assert.match(makefile, / {8}content: \|\n {10}all:\n {10}\techo "Grüße 🔥"\n/);
  assert.equal((await saidIn(makefile)).get('node/n1')?.files, { m: { path: '/Makefile', content } });
});

test.run();
