// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are of shells
/** Hostile values and scripts of jobs in real shells: no value is ever more than its word. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compileRun } from '../../shared/jobs/placeholders.ts';

const placeholders = suite('placeholders of jobs in shells');

/** Shells that are `/bin/sh` somewhere, with what makes them so; those that this machine has. */
const shells = [['dash'], ['bash', '--posix'], ['bash'], ['busybox', 'sh']].filter(
  ([program = '']) => spawnSync(program, ['-c', ':']).error === undefined,
);

/** What shells and programs see something in. */
const hostileText = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...[
          "'",
          '"',
          '`',
          '\\',
          '$',
          '$(',
          ')',
          '\n',
          '\r',
          ' ',
          '\t',
          ';',
          '&',
          '|',
          '<',
          '>',
          '<<EOF',
          'EOF',
          '#',
          '!',
        ],
        ...[
          '*',
          '?',
          '[',
          '~',
          '{i}',
          '{}',
          '%s',
          '%',
          '--',
          '-n',
          '-e',
          '=',
          "'\\''",
          '$IFS',
          '\u0085',
          '\u00a0',
          '\u2028',
        ],
        ...['$(:>pwned)', ';:>pwned;', '\\n', '\u001b[2J', '\u0001', '\u007f', 'é', '😀', 'rm'],
      ),
      fc.string({ unit: 'binary', maxLength: 5 }),
    ),
    { maxLength: 12 },
  )
  .map(parts => parts.join('').replaceAll('\0', ''));

placeholders('every shell gives a hostile value back as it is, whatever stands beside it', () => {
  assert.ok(shells.length > 0);
  // The last character is said by printf itself, so that no value is the last thing in a line.
  const script = 'printf "%s\\0" {} --x={} {}{} "$(printf %s. {})" {}#{} "a"{}\'b\'';
  const compiled = compileRun(script, ['i'], []);
  if (!compiled.ok || compiled.value.kind !== 'script') throw new Error('it does not compile');
  const { script: fill } = compiled.value;
  const folder = mkdtempSync(join(tmpdir(), 'placeholders-'));
  try {
    fc.assert(
      fc.property(fc.array(hostileText, { minLength: 50, maxLength: 50 }), texts => {
        let all = '';
        const expected: string[] = [];
        for (const i of texts) {
          const made = fill({ i }, {}, 0);
          all += `${made.ok ? made.value : ''}\n`;
          expected.push(i, `--x=${i}`, i + i, `${i}.`, `${i}#${i}`, `a${i}b`);
        }
        for (const [program = '', ...flags] of shells) {
          const { stdout, stderr } = spawnSync(program, [...flags, '-c', all], { cwd: folder, encoding: 'utf8' });
          assert.is(stderr, '', program);
          assert.equal(stdout.split('\0').slice(0, -1), expected, program);
        }
      }),
      { numRuns: 12 },
    );
    assert.not(existsSync(join(folder, 'pwned')));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Pieces that scripts are made of, and those at which a wrong idea of the quoting shows. */
const snippets = [
  ...['{i}', '{i}', '{i}', ' ', ' ', '\n', "'", '"', '\\', '`', '$', '$(', '$((', '))', '(', ')', '((', '#', ' #'],
  ...[
    'a',
    ';',
    '&',
    '|',
    '<',
    '<<',
    '<<E',
    '<<-E\n',
    '\nE\n',
    "<<'E'\n",
    '>x',
    '${',
    '}',
    '{',
    '${x',
    ':-',
    '${#x}',
    '$x',
  ],
  ...[
    '$$',
    '$#',
    '$?',
    "$'",
    '$"',
    '$[',
    ']',
    '\\\n',
    ' \\\n',
    '\\ ',
    "\\'",
    '\\"',
    'case a in ',
    'a)',
    ';;',
    ' esac ',
  ],
  ...['if :; then ', ' fi;', '{ ', ' ;}', '=', '~', '*', '!', '\r', '\u00a0', '[[ ', ' ]]', '<(', '$(( ', '1'],
];
/** Runs something wherever it is not one word: after quotes of each kind, in double quotes, in new lines and documents. */
const attacks = [
  "';:>pwned;'",
  '";:>pwned;"',
  '$(:>pwned)',
  '`:>pwned`',
  '\n:>pwned\n',
  '\nE\n:>pwned\n',
  '\n`:>pwned`\n$(:>pwned)\n',
  ');:>pwned;(',
  '))\n:>pwned\n',
  '}\n:>pwned\n',
  "'\n:>pwned\n#",
  'x[$(:>pwned)]',
];

/** @returns scripts that were run. */
function attack(script: string, folder: string): number {
  const compiled = compileRun(script, ['i'], []);
  if (!compiled.ok || compiled.value.kind !== 'script') return 0;
  for (const i of attacks) {
    const made = compiled.value.script({ i }, {}, 0);
    for (const [program = '', ...flags] of shells) {
      spawnSync(program, [...flags, '-c', made.ok ? made.value : ''], {
        cwd: folder,
        env: { PATH: '/nonexistent' },
        stdio: 'ignore',
        timeout: 5000,
        argv0: program,
      });
      if (existsSync(join(folder, 'pwned'))) {
        throw new Error(`${program} ran a part of ${JSON.stringify(i)} in ${JSON.stringify(script)}`);
      }
    }
  }
  return 1;
}

placeholders('no script that is taken lets a value out of its word', () => {
  const folder = mkdtempSync(join(tmpdir(), 'placeholders-'));
  const runs = Number(process.env.HEARTH_TEST_SCRIPTS ?? 150);
  let taken = 0;
  try {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...snippets), { minLength: 2, maxLength: 14 }), parts => {
        const script = parts.join('');
        if (script.includes('{i}')) taken += attack(script, folder);
      }),
      { numRuns: runs },
    );
    assert.ok(taken > runs / 50, `only ${taken} scripts were taken`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

placeholders.run();
