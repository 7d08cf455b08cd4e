/** `where` expressions: what they mean, why a node is left out, and what hostile ones may not do. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compileWhere, type Facts, type Where } from '../../shared/jobs/where.ts';
import { cpuMs } from '../fixture/promised-time.ts';

const node: Facts = {
  cores: 2,
  mem_mb: 4096,
  arch: 'x64',
  zone: 'cellar',
  label_gpu: 'yes',
  gpu: 'yes',
  rack: '3',
  quiet: true,
  'label_gpu-model': 'k80',
  'gpu-model': 'k80',
  roles: ['solver', 'web'],
  caps: 'root,apt',
};

function where(text: string): Where {
  const compiled = compileWhere(text);
  if (!compiled.ok) throw new Error(`${text}: ${compiled.error.message}`);
  return compiled.value;
}

const meaning = suite('where: meaning');

for (const text of [
  'cores>=2 && arch=="x64" && zone=="cellar"',
  'cores >= 4 || zone == "cellar"',
  '!(cores >= 4)',
  '!(cores >= 4 || zone == "attic")',
  '2 <= cores',
  'mem_mb >= 4*1024 && mem_mb / cores > 1000.5',
  'cores % 2 == 0 && -cores < 0 && cores - 1 == 1 && cores + 1 == 3',
  'zone in ["attic", "cellar"]',
  '!(zone in ["attic"])',
  '"solver" in roles && !("gpu" in roles)',
  '"apt" in caps',
  'zone.startsWith("ce") && zone.endsWith("ar") && zone.contains("ella") && !zone.contains("x")',
  'has(gpu) && !has(fpga)',
  'quiet && !!quiet && quiet == true && quiet != false',
  'facts["gpu-model"] == "k80" && label["gpu-model"] == "k80" && facts.zone == "cellar" && label.gpu == gpu',
  'has(label.gpu) && !has(label.zone)',
  'int(rack) > 2 && double("1.5") < double(rack) && size(roles) == 2 && zone.size() == 6',
  '!(zone == "attic") && zone != "attic" // and that is all',
  'true',
]) {
  meaning(`true: ${text}`, () => {
    assert.is(where(text).test(node), true);
    assert.is(where(text).why(node), undefined);
  });
}

for (const [text, reason] of [
  ['zone=="attic"', 'zone is "cellar", not "attic"'],
  ['cores>=4', 'cores is 2, needs >= 4'],
  ['4 <= cores', 'cores is 2, needs >= 4'],
  ['!(cores<4)', 'cores is 2, needs >= 4'],
  ['zone!="cellar"', 'zone is "cellar"'],
  ['!(zone=="cellar")', 'zone is "cellar"'],
  ['arch=="x64" && cores>=4 && zone=="attic"', 'cores is 2, needs >= 4'],
  ['cores>=4 || zone=="attic"', 'cores is 2, needs >= 4, and zone is "cellar", not "attic"'],
  ['fpga=="yes"', 'no fact "fpga"'],
  ['fpga!="yes"', 'no fact "fpga"'],
  ['!(fpga=="yes")', 'no fact "fpga"'],
  ['!fpga', 'no fact "fpga"'],
  ['has(fpga)', 'no fact "fpga"'],
  ['!has(gpu)', 'it has a fact "gpu"'],
  ['gpu', 'gpu is "yes", not true or false: compare it'],
  ['!quiet', 'quiet is true'],
  ['rack>=2', 'rack is "3", which is text, and 2 is a number'],
  ['zone==cores', 'zone is "cellar", which is text, and 2 is a number'],
  ['roles=="web"', 'roles is [solver, web], a list: use "in"'],
  ['"gpu" in roles', 'roles lacks "gpu"'],
  ['!("web" in roles)', 'roles has "web"'],
  ['"x" in cores', 'cores is 2, which is not a list'],
  ['zone in ["attic","loft"]', 'zone is "cellar", not one of "attic", "loft"'],
  ['!(zone in ["cellar"])', 'zone is "cellar"'],
  ['zone.startsWith("at")', 'zone is "cellar", which does not start with "at"'],
  ['!zone.contains("ell")', 'zone is "cellar", which contains "ell"'],
  ['cores.contains("2")', 'cores is 2, which is not text'],
  ['mem_mb/(cores-2) > 1', 'mem_mb/(cores-2 has no value'],
  ['zone + 1 > 2', 'zone is "cellar", not a number'],
  ['int(zone) > 2', 'zone is "cellar", not a number'],
  ['size(cores) > 2', 'cores is 2, which has no size'],
  ['cores > rack_units', 'no fact "rack_units"'],
  ['mem_mb < cores', 'mem_mb is 4096, needs < cores, which is 2'],
  ['false', 'it says false'],
  ['constructor == "x"', 'no fact "constructor"'],
  ['has(toString)', 'no fact "toString"'],
] as const) {
  meaning(`false: ${text}`, () => {
    assert.is(where(text).test(node), false);
    assert.is(where(text).why(node), reason);
  });
}

meaning('a name that nobody has comes with a better one', () => {
  assert.is(
    where('zoen=="attic"').why(node, () => 'zone'),
    'no fact "zoen", did you mean "zone"?',
  );
});

meaning('a reason is one line and short, whatever the facts are', () => {
  const reason = where('zone=="attic" || zone=="b" || zone=="c" || zone=="d" || zone=="e"').why({
    zone: `\u001b[2J\n${'x'.repeat(5000)}`,
  });
  assert.ok(reason && reason.length <= 240, reason);
  assert.ok(!reason?.includes('\n') && !reason?.includes('\u001b'));
});

meaning.run();

const wrong = suite('where: what is refused');

for (const [text, sentence] of [
  ['', 'not understood, at its end'],
  ['zone=', 'not understood, at character 5, "="'],
  ['zone "x"', 'not understood, at character 6, ""x""'],
  ['zone=="x', 'unterminated string, at character 7, ""x"'],
  ['cores >= ', 'not understood, at its end'],
  ['package=="x"', '"package" is a reserved word, at character 1, "package=="x"": write facts["package"]'],
  ['zone', undefined],
  ['cores + 1', 'a comparison is missing, at character 1, "cores + 1"'],
  ['"x"', 'a comparison is missing, at character 1, ""x""'],
  ['cores > 1 ? quiet : gpu', '"? :" is not available: use && and ||, at character 1, "cores > 1 ? quiet :…"'],
  ['zone.matches("(a+)+$")', /^matches\(\) is not available/],
  ['roles.all(x, x=="a")', /^there is no such function here/],
  ['cel.bind(x, 1)', /^there is no such function here/],
  ['cel.bind(x, 1, x)', /^there is no such function here/],
  ['(cores>1) == true', /^what is true or false cannot be compared again/],
  ['1 < cores < 4', /^what is true or false cannot be compared again/],
  ['zone == null', /^there is no null/],
  ['zone == {}', /^\{\} is not available/],
  ['zone == b"x"', /^write a text, a number/],
  ['cores > 4u', /^write a text, a number/],
  ['cores > 99999999999999999999', /^the number is too large/],
  [`cores > 0x${'f'.repeat(900)}`, /^the number is too large/],
  ['roles == ["a"]', /^a list stands only after "in"/],
  ['os.arch == "x"', /^only facts.NAME and label.NAME/],
  ['facts[zone] == "x"', /^a name in quotes is missing/],
  ['facts == "x"', /^"facts" wants a name/],
  ['has(1)', /^has\(\) takes the name of a fact/],
  ['system("ls") == 0', /^there is no function system\(\)/],
  ['zone.constructor("x")', /^there is no such function here/],
  ['!'.repeat(999), /^it is nested too deeply|^not understood/],
  ['('.repeat(1000), 'it is nested too deeply or has too many parts'],
  ['['.repeat(1000), 'it is nested too deeply or has too many parts'],
  [`${'-'.repeat(998)}1`, 'it is nested too deeply or has too many parts'],
  ['a||'.repeat(330), 'it is nested too deeply or has too many parts'],
  ['a'.repeat(1001), 'it has 1001 characters, 1000 are allowed'],
  ['\u0000\u001b[2J', /^not understood, at character 1, "\\u0000\\u001b/],
  ['"\\ud800" == zone', /^invalid Unicode/],
] as const) {
  wrong(`${text.slice(0, 40)}`, () => {
    const compiled = compileWhere(text);
    if (sentence === undefined) return void assert.ok(compiled.ok);
    assert.ok(!compiled.ok);
    assert.is(compiled.error.at, 'where');
    assert.is(compiled.error.code, 'schema');
    assert.ok(compiled.error.message.length < 300 && !compiled.error.message.includes('\n'), compiled.error.message);
    if (typeof sentence === 'string') assert.is(compiled.error.message, sentence);
    else assert.match(compiled.error.message, sentence);
  });
}

const word = fc.constantFrom(
  ...['cores', 'zone', 'gpu', 'roles', 'has', '(', ')', '[', ']', '{', '}', '.', ',', '"a"', "'b'", '1', '2.5', '0x1'],
  ...[
    '&&',
    '||',
    '!',
    '==',
    '!=',
    '<',
    '>=',
    'in',
    '+',
    '-',
    '*',
    '/',
    '%',
    '?',
    ':',
    'true',
    'null',
    'contains',
    'all',
  ],
  ...['facts', 'label', '__proto__', 'size', 'int', 'matches', 'u', 'b"', 'r"', '\\', '"""', '//', '\n', '\u{1f600}'],
);
const fact = fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.array(fc.string()));

wrong('nothing throws, and reason and answer agree', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(word, { maxLength: 40 }).map(words => words.join(' ')),
        fc.string({ maxLength: 60 }),
      ),
      fc.dictionary(fc.constantFrom('cores', 'zone', 'gpu', 'roles', 'label_a'), fact),
      (text, facts) => {
        const compiled = compileWhere(text);
        if (!compiled.ok) return assert.type(compiled.error.message, 'string');
        assert.is(compiled.value.test(facts), compiled.value.why(facts) === undefined);
      },
    ),
    { numRuns: 3000 },
  );
});

/** Expressions of comparisons, and the same computed here in three values (CEL's `&&` and `||` absorb what is not known). */
type Known = boolean | undefined;
const leaf = fc.record({ name: fc.constantFrom('a', 'b', 'c'), than: fc.integer({ min: 0, max: 3 }) });
interface Formula {
  readonly text: string;
  readonly value: (facts: Facts) => Known;
}
const formulas = fc.letrec<{ any: Formula }>(tie => ({
  any: fc.oneof(
    { maxDepth: 4 },
    leaf.map(({ name, than }) => ({
      text: `${name} < ${than}`,
      value: (facts: Facts) => (typeof facts[name] === 'number' ? facts[name] < than : undefined),
    })),
    tie('any').map(inner => ({
      text: `!(${inner.text})`,
      value: (facts: Facts) => {
        const known = inner.value(facts);
        return known === undefined ? undefined : !known;
      },
    })),
    fc.tuple(tie('any'), tie('any'), fc.boolean()).map(([one, other, and]) => ({
      text: `(${one.text} ${and ? '&&' : '||'} ${other.text})`,
      value: (facts: Facts) => {
        const both = [one.value(facts), other.value(facts)];
        return both.includes(!and) ? !and : both.includes(undefined) ? undefined : and;
      },
    })),
  ),
}));

wrong('negations pushed down mean the same, and what is not known never matches', () => {
  const number = fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined });
  fc.assert(
    fc.property(formulas.any, fc.record({ a: number, b: number, c: number }), (formula, found) => {
      const facts = Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined)) as Facts;
      assert.is(where(formula.text).test(facts), formula.value(facts) === true, formula.text);
    }),
    { numRuns: 1000 },
  );
});

wrong('the longest expressions are read and tested in no time', async () => {
  const texts = [
    `${'!'.repeat(250)}quiet`,
    Array.from({ length: 70 }, (_, n) => `a${n}==${n}`).join('||'),
    `zone in [${Array.from({ length: 99 }, () => '"x"').join(',')}]`,
    `${'('.repeat(28)}quiet${')'.repeat(28)}`,
  ];
  const ms = await cpuMs(async () => {
    for (const text of texts) {
      const compiled = where(text);
      for (let n = 0; n < 1000; n++) compiled.test(node);
    }
  });
  assert.ok(ms < 2000, `${ms} ms`);
});

wrong.run();
