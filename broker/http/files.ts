/** The dashboard's files, read once at the start: a request is a look-up in a map and never touches a path. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';

export interface StaticFile {
  readonly type: string;
  readonly body: Buffer;
  /** Quoted, as in the ETag header. */
  readonly etag: string;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
};
const mostFiles = 64;
const mostBytes = 2 * 1024 * 1024;

/**
 * @returns files by URL path; `/` is `index.html`.
 * @throws one sentence when the folder is not a dashboard.
 */
export async function loadDashboard(folder: string): Promise<ReadonlyMap<string, StaticFile>> {
  const files = new Map<string, StaticFile>();
  const names = await readdir(folder).catch((error: Error) => {
    throw new Error(`the dashboard's folder ${folder} cannot be read (${error.message}); run "npm run build"`);
  });
  for (const name of names.sort()) {
    const type = types[extname(name)];
    if (type === undefined) continue;
    const body = await readFile(join(folder, name));
    if (body.length > mostBytes) throw new Error(`${join(folder, name)} is over ${mostBytes} bytes`);
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
    files.set(`/${name}`, { type, body, etag });
    if (files.size > mostFiles) throw new Error(`${folder} holds over ${mostFiles} files; it is no dashboard`);
  }
  const index = files.get('/index.html');
  if (!index) throw new Error(`the dashboard's folder ${folder} has no index.html; run "npm run build"`);
  files.set('/', index);
  return files;
}

/**
 * On every answer. No inline script or style, nothing from elsewhere, in nobody's frame; `require-trusted-types-for`
 * makes the browser itself refuse to parse text as HTML.
 */
export const guardHeaders: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
};
