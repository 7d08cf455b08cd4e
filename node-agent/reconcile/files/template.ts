/**
 * Text with facts filled in: `{{ node.id }}` becomes this node's id. Two braces that are to stay are written as four:
 * `{{{{ .Name }}` becomes `{{ .Name }}`. Nothing else is special, closing braces are not either. Pure.
 */
import { nearest, printable } from '../../../shared/names.ts';

/** Keyed such as `node.id`, `node.arch`, `label.zone`. */
export type Facts = Readonly<Record<string, string | number | boolean>>;

/** Longest rendered text, in bytes. */
export const longestRendered = 256 * 1024;
const braces = /\{\{\{\{|\{\{[ \t]*([A-Za-z0-9._@:~-]{1,140})[ \t]*\}\}|\{\{/g;

/** @returns the text, or where a name is unknown or does not end, one sentence that says in which line. */
export function render(template: string, facts: Facts): { readonly text: string } | { readonly wrong: string } {
  let wrong: string | undefined;
  const text = template.replace(braces, (all, name: string | undefined, at: number) => {
    if (all === '{{{{') return '{{';
    if (name !== undefined && Object.hasOwn(facts, name)) return String(facts[name]);
    wrong ??= sentence(name, template.slice(0, at).split('\n').length, facts);
    return '';
  });
  if (wrong === undefined && Buffer.byteLength(text) > longestRendered) {
    wrong = `the template becomes longer than ${longestRendered / 1024} kB`;
  }
  return wrong === undefined ? { text } : { wrong };
}

function sentence(name: string | undefined, line: number, facts: Facts): string {
  if (name === undefined) return `line ${line} of the template: "{{" begins no fact; write "{{{{" for two braces`;
  const near = nearest(name, Object.keys(facts));
  const hint = near === undefined ? '' : `: is it "${near}"?`;
  return `line ${line} of the template: this node has no fact "${printable(name)}"${hint}`;
}
