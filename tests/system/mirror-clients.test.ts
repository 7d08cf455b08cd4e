/** The package managers themselves, apt and npm, through the mirror of a real supervisor: two machines, one download. */
import * as assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite as describe } from 'uvu';
import { type Cluster, up } from '../fixture/cluster.ts';
import { type FileServer, fileServer, type Served } from '../fixture/file-server.ts';
import { folder, start } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { tarball } from '../fixture/tarball.ts';

const suite = describe('mirror and package managers');
let cluster: Cluster | undefined;
let upstream: FileServer | undefined;
suite.after.each(async () => {
  await cluster?.process.stop();
  await upstream?.close();
});

async function mirrorOf(files: Record<string, Served>, kind: string): Promise<string> {
  upstream = await fileServer(files);
  const name = kind === 'apt' ? 'debian' : kind;
  cluster = await up({
    flags: ['--no-agent', '--mirror', '--mirror-also', `${name}=${kind}+${upstream.url}`],
  });
  return `http://127.0.0.1:${cluster.ready.http}/mirror/${name}`;
}
const countOf = (path: string) => upstream?.requests.filter(one => one.path === path).length;
async function run(program: string, args: readonly string[], options: object = {}): Promise<string> {
  const one = start(program, args, options);
  assert.equal(await one.ended, 0, one.output());
  return one.output();
}

testWith(
  suite,
  ['apt-get', 'dpkg-deb', 'root'],
  'apt-get updates and downloads on two machines, on one of them when the archive is gone',
  async () => {
    const made = folder();
    mkdirSync(join(made, 'hello/DEBIAN'), { recursive: true });
    const control =
      'Package: hearth-hello\nVersion: 1:2.0-1\nArchitecture: all\nMaintainer: nobody <x@example.org>\nDescription: hello\n';
    writeFileSync(join(made, 'hello/DEBIAN/control'), control);
    const deb = join(made, 'hello.deb');
    execFileSync('dpkg-deb', ['--build', '--root-owner-group', join(made, 'hello'), deb], { stdio: 'ignore' });
    const bytes = readFileSync(deb);
    const hash = (what: Buffer | string) => createHash('sha256').update(what).digest('hex');
    const pool = '/pool/main/h/hearth-hello_2.0-1_all.deb';
    const packages = `${control}Filename: ${pool.slice(1)}\nSize: ${bytes.length}\nSHA256: ${hash(bytes)}\n`;
    const index = 'main/binary-all/Packages';
    const release = [
      'Origin: test\nSuite: stable\nCodename: stable\nArchitectures: all amd64 arm64\nComponents: main',
      `Date: ${new Date().toUTCString()}\nAcquire-By-Hash: yes\nSHA256:\n ${hash(packages)} ${Buffer.byteLength(packages)} ${index}\n`,
    ].join('\n');
    const byHash = `/dists/stable/main/binary-all/by-hash/SHA256/${hash(packages)}`;
    const url = await mirrorOf(
      {
        '/dists/stable/Release': { body: Buffer.from(release), headers: { etag: '"r"' } },
        [byHash]: { body: Buffer.from(packages) },
        [pool]: { body: bytes },
      },
      'apt',
    );
    const machine = async () => {
      const root = folder();
      for (const name of ['state/lists/partial', 'cache/archives/partial', 'etc', 'status.d'])
        mkdirSync(join(root, name), { recursive: true });
      writeFileSync(join(root, 'status'), '');
      writeFileSync(join(root, 'etc/sources.list'), `deb [trusted=yes arch=all] ${url} stable main\n`);
      const settings = {
        ...{
          'Dir::State': join(root, 'state'),
          'Dir::Cache': join(root, 'cache'),
          'Dir::State::status': join(root, 'status'),
        },
        ...{
          'Dir::Etc': join(root, 'etc'),
          'APT::Sandbox::User': 'root',
          'Acquire::Languages': 'none',
          'Acquire::http::Proxy': 'DIRECT',
        },
      };
      const apt = [...Object.entries(settings)].flatMap(([name, value]) => ['-o', `${name}=${value}`]);
      const updated = await run('apt-get', [...apt, 'update'], { cwd: root });
      assert.ok(
        !/^[WE]:/m.test(updated.replace(/^W:.*(?:unsigned|Release' is not signed|InRelease).*$/gm, '')),
        updated,
      );
      return async () => {
        await run('apt-get', [...apt, 'download', 'hearth-hello'], { cwd: root });
        const [found = ''] = readdirSync(root).filter(name => name.endsWith('.deb'));
        assert.ok(readFileSync(join(root, found)).equals(bytes));
      };
    };
    await (await machine())();
    const second = await machine();
    await upstream?.close();
    await second();
    assert.deepEqual([countOf(pool), countOf(byHash)], [1, 1]);
  },
);

testWith(
  suite,
  ['npm'],
  'npm installs a package with what it depends on, on two machines, from one download',
  async () => {
    const pack = async (name: string, more: object) => {
      const manifest = { name, version: '1.0.0', main: 'index.js', ...more };
      const file = await tarball([
        { path: 'package/package.json', body: Buffer.from(JSON.stringify(manifest)) },
        { path: 'package/index.js', body: Buffer.from(`module.exports = ${JSON.stringify(name)};\n`) },
      ]);
      return { manifest, bytes: readFileSync(file) };
    };
    const files: Record<string, Served> = {};
    const [one, two] = [
      await pack('@hearth/hello', { dependencies: { 'hearth-there': '^1.0.0' } }),
      await pack('hearth-there', {}),
    ];
    const url = await mirrorOf(files, 'npm');
    for (const { manifest, bytes } of [one, two]) {
      const short = manifest.name.split('/').at(-1);
      const tar = `/${manifest.name}/-/${short}-1.0.0.tgz`;
      const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
      const version = { ...manifest, dist: { tarball: `${upstream?.url}${tar}`, integrity } };
      const document = { name: manifest.name, 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': version } };
      const body = Buffer.from(JSON.stringify(document));
      files[`/${manifest.name.replace('/', '%2f')}`] = {
        body,
        headers: { 'content-type': 'application/json', etag: '"1"' },
      };
      files[tar] = { body: bytes };
    }
    const machine = async () => {
      const root = folder();
      writeFileSync(join(root, 'package.json'), '{"name":"x","version":"1.0.0"}');
      const flags = [
        '--registry',
        `${url}/`,
        '--cache',
        join(root, 'cache'),
        '--no-audit',
        '--no-fund',
        '--no-update-notifier',
      ];
      await run('npm', ['install', '@hearth/hello', ...flags], {
        cwd: root,
        env: { ...process.env, HOME: root, npm_config_userconfig: join(root, 'npmrc') },
      });
      const installed = JSON.parse(readFileSync(join(root, 'node_modules/@hearth/hello/package.json'), 'utf8'));
      assert.equal(installed.version, '1.0.0');
      assert.match(readFileSync(join(root, 'node_modules/hearth-there/index.js'), 'utf8'), /hearth-there/);
    };
    await machine();
    await machine();
    for (const path of Object.keys(files)) assert.equal(countOf(path), 1, path);
  },
);

suite.run();
