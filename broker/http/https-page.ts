/** What plain HTTP from the network is answered: where to go, and how to know that one is there. Nothing else. */
import type { IncomingHttpHeaders } from 'node:http';
import { parseAddress } from './origin.ts';

export function httpsPage(headers: IncomingHttpHeaders, port: number): { body: string | object; type: string } {
  // Only what parses as a name is repeated; nothing in it can be markup then.
  const own = parseAddress(headers.host ?? '');
  const url = own && `https://${own.name}:${port}/`;
  const where = url ?? `https://, port ${port}`;
  if (!headers.accept?.includes('text/html')) {
    const error = `Without TLS there is nothing here but what installs a node: use ${where} instead.`;
    return { body: { error }, type: 'application/json; charset=utf-8' };
  }
  const link = url === undefined ? where : `<a href="${url}">${url}</a>`;
  const body = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Hearth</title>
<h1>Hearth is served over HTTPS</h1>
<p>Go to ${link}.</p>
<p>Its certificate is signed by this cluster itself, so a browser warns the first time. On the supervisor,
<code>hearth ca show</code> prints the fingerprint: compare it with the one that the browser shows, or with that of
<a href="/ca.pem">the cluster's CA certificate</a> before you import that.</p>
</html>
`;
  return { body, type: 'text/html; charset=utf-8' };
}
