// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are of shells
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compileRun, itemText } from '../../shared/jobs/placeholders.ts';

const placeholders = suite('placeholders of jobs');

const values = { i: "it's", seed: '7' };
const paths = { scene: '/in/my scene', frame: 'out.png' };

/** What task 5 runs, or the sentence why nothing does. */
function run(text: string | readonly string[], names: readonly string[] = ['i', 'seed']): unknown {
  const compiled = compileRun(text, names, ['scene', 'frame']);
  if (!compiled.ok) return compiled.error.message;
  const { value } = compiled;
  const made = value.kind === 'script' ? value.script(values, paths, 4) : value.argv(values, paths, 4);
  return made.ok ? made.value : made.error.message;
}

const said = (...of: Parameters<typeof run>): string => String(run(...of));

placeholders('in a script each becomes one quoted word', () => {
  assert.is(run('./solve {scene} --seed={seed}>{frame}'), "./solve '/in/my scene' --seed='7'>'out.png'");
  assert.is(run('echo {} {i} {#}'), "echo 'it'\\''s' 'it'\\''s' '5'");
  assert.is(
    run('for f in {seed}; do (cd {scene}; x=$(cat {}; echo "$(ls {seed})")); done'),
    ["for f in '7'; do (cd '/in/my scene'; x=$(cat 'it'\\''s'; echo \"$(ls '7')\")); done"][0],
  );
  assert.is(
    run('$$ $$a $1{seed} ${x}{seed} ${x:-$y}{seed} $((1+(2*x)))-{seed}'),
    ["$$ $$a $1'7' ${x}'7' ${x:-$y}'7' $((1+(2*x)))-'7'"][0],
  );
});

placeholders('in arguments each is put in as it is, in any part of them', () => {
  assert.equal(run(['prog', '--x={}', '{scene}:{frame}', '{{i}}', '{#}', '${HOME} ${i}']), [
    'prog',
    "--x=it's",
    '/in/my scene:out.png',
    '{i}',
    '5',
    '${HOME} ${i}',
  ]);
  assert.match(said(['', 'x']), /name of the program is empty/);
});

placeholders("other braces are the shell's, and what stands in quotes another program's", () => {
  for (const text of [
    '{ cmd; }; f() { cmd; }',
    '${i} "${i}" "${scene}"',
    "awk '{print $1}' | awk '{print}' | sed 's/{title}//'",
    'curl -d \'{"a":{"b":1}}\' --format \'{{.Names}}\' {{.Names}} "{{json .}}"',
    'echo {a,b} {1..3} \\{i} \\{\\}',
    "echo '{{title}}'",
  ]) {
    assert.is(run(text), text);
  }
  assert.is(
    run('find . -exec ls {{}} \\; \'{{i}}\' "{{seed}}" {{print}}'),
    'find . -exec ls {} \\; \'{i}\' "{seed}" {print}',
  );
  assert.is(run('x # {i}\n{seed}'), "x # {i}\n'7'");
});

placeholders('a name that is not known is an error that says what is meant, and how braces are written', () => {
  assert.match(said('echo {scen}'), /did you mean \{scene\}\? .*write \{\{scen\}\}/);
  assert.match(said('echo {print}'), /not known: use \{i\} \{seed\} \{scene\} \{frame\} \{#\}, or write \{\{print\}\}/);
  assert.match(said(['awk', '{print}']), /not known/);
  assert.match(said('echo {}', []), /give the job an "array" or "items", or write \{\{\}\}/);
  assert.match(said('echo {}', ['x', 'y']), /of no dimension: use \{x\} \{y\}/);
  assert.match(said('echo {toString} {constructor}'), /not known/);
  assert.match(said('true', ['scene']), /"\{scene\}" stands for two things/);
});

placeholders('where a quoted word cannot stand, the script is refused with a way out', () => {
  const refused: readonly (readonly [script: string, why: RegExp])[] = [
    ["echo '{i}'", /in single quotes.*end the quotes.*\{\{i\}\}/],
    ['echo "a {i} b"', /in double quotes.*\$HEARTH_ARG_I/],
    ['echo "$(echo "{i}")"', /in double quotes/],
    ['echo `ls {i}`', /in backquotes.*"\$\( \)"/],
    ['echo $(({i}+1))', /arithmetic|more than numbers/],
    ['echo ${x:-{i}}', /parameter in braces/],
    ['cat <<EOF\n{i}\nEOF\n', /here-document.*\$HEARTH_ARG_I/],
    ['cat <<EOF\nx\nEOF\necho {i}', /here-document/],
    ["echo $'a' {i}", /after "\$'"/],
    ['((x={i}))', /after "\(\("/],
    ['echo $[{i}]', /after "\$\["/],
    ['x=$(case a in a) echo "{i}";; esac)', /"case" within/],
    ['<\\\n<EOF\n{i}', /goes on within a word/],
    ["a=$(# it's\n) {i}", /may start a comment/],
    ['echo "${scene:-"{i}"}"', /parameter in braces/],
  ];
  for (const [script, why] of refused) assert.match(said(script), why, script);
});

placeholders('a NUL is refused wherever it comes from', () => {
  assert.match(said('echo \0'), /NUL/);
  assert.match(said(['echo', '\0']), /NUL/);
  const compiled = compileRun('echo {}', ['i'], []);
  assert.ok(compiled.ok && compiled.value.kind === 'script');
  if (compiled.ok && compiled.value.kind === 'script') {
    const made = compiled.value.script({ i: 'a\0b' }, {}, 0);
    assert.match(made.ok ? '' : made.error.message, /"\{i\}" of task 1 holds a NUL/);
  }
});

placeholders('an item that is text is put in as it is, anything else as JSON', () => {
  assert.is(itemText('a b'), 'a b');
  assert.is(itemText({ a: ["it's"] }), '{"a":["it\'s"]}');
  assert.is(itemText(null), 'null');
});

placeholders.run();
