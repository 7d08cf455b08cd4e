import * as fs from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { clusterKey, openDataFolder, writeFormat, writeSafely } from '../../broker/data-folder.ts';
import { ed25519Verifier } from '../../shared/ed25519.ts';
import { format } from '../../shared/limits.ts';
import { UserError } from '../../shared/user-error.ts';
import { folder } from '../fixture/processes.ts';

const data = suite('data folder');

const mode = (path: string) => fs.statSync(path).mode & 0o777;

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.instance(error, UserError);
    assert.is((error as Error).message.split('\n').length, 1, 'one sentence');
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
}

data('is made with its subfolders, all for its owner alone', () => {
  const path = join(folder(), 'a/b/hearth');
  const opened = openDataFolder(path);
  assert.is(mode(path), 0o700);
  for (const name of ['journal', 'trust', 'agent', 'logs', 'cache'] as const) {
    assert.is(opened[name], join(path, name));
    assert.is(mode(opened[name]), 0o700);
  }
  assert.ok(opened.fresh);
});

data('an existing empty one that everybody can read is closed to others', () => {
  const path = folder();
  fs.chmodSync(path, 0o755);
  openDataFolder(path);
  assert.is(mode(path), 0o700);
});

data('a newer format is refused before anything is touched, with the way out', () => {
  const path = folder();
  writeSafely(join(path, 'format'), `${format + 1}\n`);
  assert.match(
    refusal(() => openDataFolder(path)),
    /has format 4, but this Hearth knows formats up to 3: .*--data FOLDER/,
  );
  assert.equal(fs.readdirSync(path), ['format']);
});

data('a format that is no number is refused', () => {
  const path = folder();
  fs.writeFileSync(join(path, 'format'), 'one\n');
  assert.match(
    refusal(() => openDataFolder(path)),
    /says "one" instead of a number/,
  );
});

data('a folder with other things in it is left alone', () => {
  const path = folder();
  fs.writeFileSync(join(path, 'thesis.tex'), 'years of work');
  fs.chmodSync(path, 0o755);
  assert.match(
    refusal(() => openDataFolder(path)),
    /not empty and no data folder of Hearth \("thesis.tex" lies there\)/,
  );
  assert.is(mode(path), 0o755);
  assert.equal(fs.readdirSync(path), ['thesis.tex']);
});

data('a path below a file is one sentence', () => {
  const file = join(folder(), 'file');
  fs.writeFileSync(file, '');
  assert.match(
    refusal(() => openDataFolder(join(file, 'data'))),
    /cannot be used: a part of the path is a file .*--data FOLDER/,
  );
  assert.match(
    refusal(() => openDataFolder(file)),
    /cannot be used/,
  );
});

data('the key is made once, for its owner alone, and stays', () => {
  const path = folder();
  const opened = openDataFolder(path);
  const signer = clusterKey(opened);
  writeFormat(opened);
  assert.is(mode(join(path, 'trust/cluster-key.pem')), 0o600);
  assert.match(fs.readFileSync(join(path, 'trust/cluster-key.pem'), 'utf8'), /^-----BEGIN PRIVATE KEY-----/);
  const again = clusterKey(openDataFolder(path));
  assert.is(again.cluster, signer.cluster);
  assert.is(ed25519Verifier().fingerprint(again.key), signer.cluster);
  assert.is.not(clusterKey(openDataFolder(folder())).cluster, signer.cluster);
});

data('half a key beside, from a killed first start, does not matter', () => {
  const path = folder();
  const opened = openDataFolder(path);
  fs.writeFileSync(join(path, 'trust/cluster-key.pem.new'), '-----BEGIN PRIV');
  assert.match(clusterKey(opened).cluster, /^[0-9a-f]{32}$/);
  assert.equal(fs.readdirSync(join(path, 'trust')), ['cluster-key.pem']);
});

data('a start killed between key and format finds the same key', () => {
  const path = folder();
  const first = clusterKey(openDataFolder(path)).cluster;
  assert.is(clusterKey(openDataFolder(path)).cluster, first);
});

data('a lost key is refused, never made anew in a folder that was in use', () => {
  const path = folder();
  const opened = openDataFolder(path);
  clusterKey(opened);
  writeFormat(opened);
  fs.rmSync(join(path, 'trust/cluster-key.pem'));
  assert.match(
    refusal(() => clusterKey(openDataFolder(path))),
    /the key of this cluster, is gone: restore it/,
  );
  assert.equal(fs.readdirSync(join(path, 'trust')), []);
});

data('a broken key is refused', () => {
  const path = folder();
  const opened = openDataFolder(path);
  fs.writeFileSync(join(path, 'trust/cluster-key.pem'), 'garbage');
  assert.match(
    refusal(() => clusterKey(opened)),
    /is no Ed25519 key/,
  );
});

data('a safe write replaces whole and leaves nothing beside', () => {
  const path = folder();
  const file = join(path, 'x');
  writeSafely(file, 'one');
  writeSafely(file, 'two');
  assert.is(fs.readFileSync(file, 'utf8'), 'two');
  assert.equal(fs.readdirSync(path), ['x']);
});

data.run();
