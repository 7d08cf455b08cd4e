/** Templates: what Home Assistant's users write works as there, what is wrong is said with its place, and nothing breaks out. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { compileTemplate } from '../../shared/readings/template.ts';

const test = suite('heat sources: template');
const bytes = (text: string) => new TextEncoder().encode(text);

function run(template: string, payload: unknown): number | undefined {
  const compiled = compileTemplate(template);
  assert.ok(compiled.ok, compiled.ok ? '' : compiled.error.message);
  return compiled.value(bytes(typeof payload === 'string' ? payload : JSON.stringify(payload)));
}

const zigbee = { temperature: 21.37, 'temp (C)': 20, list: [{ t: '19.5' }, { t: 18 }], none: null, yes: true };
const tasmota = { ENERGY: { Power: '153', Total: 3.7 } };

for (const [template, payload, is] of [
  ['{{ value_json.temperature }}', zigbee, 21.37],
  ['{{value_json.temperature}}', zigbee, 21.37],
  ['{{- value_json.temperature -}}', zigbee, 21.37],
  ['value_json.temperature', zigbee, 21.37],
  ['value_json["temp (C)"]', zigbee, 20],
  ["{{ value_json['ENERGY']['Power'] }}", tasmota, 153],
  ['value_json["ENERGY"].Power | float', tasmota, 153],
  ['value_json.list[0].t | float + 0.5', zigbee, 20],
  ['value_json.list.1.t', zigbee, 18],
  ['value_json.list[-1].t', zigbee, 18],
  ['value_json[0]', [4, 5], 4],
  ['value', '21.3', 21.3],
  ['{{ value | float / 10 }}', '213', 21.3],
  ['{{ value | int }}', '21.9', 21],
  ['{{ value|int(0) }}', 'x', 0],
  ['value_json.temperature | round(1)', zigbee, 21.4],
  ["value_json.temperature | round(0, 'floor')", zigbee, 21],
  ['value_json.missing | default(7)', zigbee, 7],
  ['value_json.missing.deeper | d(7)', zigbee, 7],
  // As in Jinja: null is a value, so it is not replaced.
  ['value_json.none | default(7)', zigbee, undefined],
  ['value_json.none | default(7, true)', zigbee, 7],
  ['value_json.missing | float(5) * 2', zigbee, 10],
  ['{{ ((value_json.temperature - 32) * 5 / 9) | round(2) }}', { temperature: 70 }, 21.11],
  ['(value | replace(",", ".") | float) - 0.5', '21,5', 21],
  ['value | replace("$&", "") ', '2$&1', 21],
  ['-5 | abs', '', 5],
  ['- value_json.temperature', { temperature: 3 }, -3],
  ['7 // 2 + 7 % 4', '', 6],
  ['-7 // 2', '', -4],
  ['-7 % 4', '', 1],
  ['2 + 3 * 4 - 6 / 2', '', 11],
  ['value_json.ENERGY.Total | multiply(1000) | add(1)', tasmota, 3701],
  ['1 / 0', '', undefined],
  ['0 / 0', '', undefined],
  ['value_json.yes', zigbee, undefined],
  ['value_json.list', zigbee, undefined],
  ['value_json', '21.5', 21.5],
  ['value_json.temperature', 'no json', undefined],
  ['value', 'nan', undefined],
  ['value', '1e999', undefined],
  ['value_json.temperature.toFixed', zigbee, undefined],
  ['value_json.constructor', zigbee, undefined],
  ['value_json.constructor.length', zigbee, undefined],
  ['value_json.toString.length', zigbee, undefined],
  ['value_json["__proto__"]', zigbee, undefined],
  ['value_json.list.length', zigbee, undefined],
  ['value.length', '12345', undefined],
] as const) {
  test(`${template} of ${JSON.stringify(payload).slice(0, 60)}`, () => assert.equal(run(template, payload), is));
}

for (const [template, why] of [
  ['', /character 1: it ends too early/],
  ['{{ value', /"\}\}" is missing/],
  ['value }}', /"\}\}" cannot stand here/],
  ['{{ states("sensor.x") }}', /"states" is not known: use value or value_json/],
  ['value_json.get("x")', /"get" cannot be called/],
  ['value | flot', /there is no filter "flot": did you mean "float"\?/],
  ['value | regex_replace("a","b")', /known are float, int/],
  ['{% if value %}1{% endif %}', /cannot stand here/],
  ['value if value else 0', /"if value else 0" cannot stand here/],
  ['value_json[', /text in quotes, or a number/],
  ['value_json["a]', /has no end/],
  ['value_json.', /after "\." comes a name/],
  ['value | round(1, 2, 3)', /"round" takes at most 2/],
  ['value | replace("a")', /"replace" takes 2/],
  ['(1 + 2', /"\)" is missing/],
  ['2 ** 8', /cannot stand here/],
  ['1e999', /too large/],
  ['x'.repeat(301), /at most 300/],
] as const) {
  test(`refused: ${template.slice(0, 40)}`, () => {
    const compiled = compileTemplate(template);
    assert.ok(!compiled.ok);
    assert.match(compiled.error.message, why);
  });
}

const word = fc.constantFrom(
  ...[
    'value',
    'value_json',
    '.',
    '[',
    ']',
    '(',
    ')',
    '|',
    ' float',
    ' int',
    ' round',
    ' default',
    ' replace',
    ' trim',
    ' abs',
    '{{',
    '}}',
  ],
  ...['+', '-', '*', '/', '//', '%', ',', '"a"', "','", '0', '1.5', '-1', 'a', '__proto__', 'constructor', ' '],
);
const template = fc.oneof(
  fc.array(word, { maxLength: 30 }).map(words => words.join('')),
  fc.string({ unit: 'binary', maxLength: 60 }),
);

test('whatever is written is compiled or refused in one sentence, and whatever comes gives a finite number or none', () => {
  let compiledOnes = 0;
  fc.assert(
    fc.property(template, fc.oneof(fc.json(), fc.string(), fc.double().map(String)), (text, payload) => {
      const compiled = compileTemplate(text);
      if (!compiled.ok) {
        assert.ok(compiled.error.message.length < 400 && !compiled.error.message.includes('\n'));
        return;
      }
      compiledOnes++;
      const found = compiled.value(bytes(payload));
      assert.ok(found === undefined || Number.isFinite(found));
    }),
    { numRuns: 10_000 },
  );
  assert.ok(compiledOnes > 100, `${compiledOnes}`);
});

test('arithmetic is that of numbers, with its precedence', () => {
  const leaf = fc.integer({ min: 0, max: 99 }).map(String);
  const { sum } = fc.letrec<{ sum: string }>(tie => ({
    sum: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.tuple(tie('sum'), fc.constantFrom('+', '-', '*', '/'), tie('sum')).map(([a, op, b]) => `${a} ${op} ${b}`),
      tie('sum').map(inner => `(${inner})`),
    ),
  }));
  fc.assert(
    fc.property(
      sum.filter(text => text.length < 300),
      text => {
        // Digits, signs and parentheses of this test's own making.
        const is: number = new Function(`return ${text}`)();
        assert.equal(run(text, ''), Number.isFinite(is) ? is : undefined, text);
      },
    ),
  );
});

test('a hostile payload costs its reading, and a hostile template no more than its length', () => {
  const deep = compileTemplate(`${'('.repeat(149)}1${')'.repeat(149)}`);
  assert.ok(deep.ok);
  assert.equal(deep.value(bytes('')), 1);
  assert.ok(compileTemplate('-'.repeat(299)).ok === false);
  const blown = `value${'|replace("a","aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")'.repeat(6)}`;
  assert.equal(run(blown, 'a'.repeat(1000)), undefined);
  for (const text of ['['.repeat(262_144), '1'.repeat(262_144), `{"a":${'1'.repeat(60_000)}}`]) {
    assert.equal(run('value_json.a', text), undefined);
    assert.equal(run('value', text), undefined);
  }
});

test.run();
