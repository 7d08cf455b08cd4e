import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { decode, decodeText, parseJson } from '../../shared/codec.ts';
import { limits } from '../../shared/limits.ts';
import { nodeDocument } from '../../shared/schemas/node-document.ts';

const codec = suite('codec');
const bytes = (text: string) => new TextEncoder().encode(text);
const why = (result: { ok: boolean; error?: { code: string; message: string; at?: string } }) =>
  result.ok ? 'accepted' : `${result.error?.code} at ${result.error?.at ?? '-'}: ${result.error?.message}`;

codec('size is looked at before anything else', () => {
  assert.match(why(decode(z.any(), new Uint8Array(limits.message + 1))), /too-large.*262144/);
  assert.match(why(decode(z.any(), bytes('"xxxx"'), { maxBytes: 5 })), /too-large.*6 bytes.*at most 5/);
});

codec('text is strict UTF-8', () => {
  assert.match(why(decodeText(new Uint8Array([0xc3, 0x28]))), /not-utf8/);
  assert.match(why(decodeText(new Uint8Array([0xed, 0xa0, 0x80]))), /not-utf8/);
  assert.equal(decodeText(bytes('Grüße 🔥')), { ok: true, value: 'Grüße 🔥' });
});

codec('depth is bounded without parsing, and brackets in strings do not count', () => {
  assert.ok(parseJson('['.repeat(16) + ']'.repeat(16)).ok);
  assert.match(why(parseJson('['.repeat(17) + ']'.repeat(17))), /too-deep/);
  assert.match(why(parseJson('['.repeat(200_000))), /too-deep/);
  assert.ok(parseJson(JSON.stringify('['.repeat(1000))).ok);
  assert.ok(parseJson('"\\"[[[[[[[[[[[[[[[[[["').ok);
});

codec('the prototype is no key, written plainly or escaped, at any depth', () => {
  assert.match(why(parseJson('{"__proto__":1}')), /__proto__/);
  assert.match(why(parseJson('{"a":[{"\\u005f_proto__":{"x":1}}]}')), /__proto__/);
  assert.ok(parseJson('{"a":"__proto__"}').ok);
});

codec('a schema error names the key path', () => {
  assert.match(why(decode(nodeDocument, bytes('{"services":{"x":{"run":"a","env":{"1a":"b"}}}}'))), /services\.x\.env/);
  assert.match(
    why(decode(nodeDocument, bytes('{"services":{"x":{"run":"a","nope":1}}}'))),
    /unknown-key at services\.x: .*nope/,
  );
  assert.match(why(decode(nodeDocument, bytes('{"services":{"b d":{"run":"a"}}}'))), /services/);
});

codec('no bytes at all make it throw', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json().map(bytes)), payload => {
      decode(nodeDocument, payload);
    }),
    { numRuns: 3000 },
  );
});

codec.run();
