/**
 * Who may speak to the HTTP port. Loopback is no boundary for a browser: any page on the web can make it connect to
 * 127.0.0.1, directly (seen in `Origin` and `Sec-Fetch-Site`) or under its own name pointed at 127.0.0.1 ("DNS
 * rebinding", seen in `Host`). So a request must be addressed to a name of this machine and our port, and where the
 * browser says which page asks, that page must be our own. Pure: header values in, a sentence or nothing out.
 */

/** The headers looked at, as Node's http module gives them. */
export interface AskerHeaders {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly 'sec-fetch-site'?: string | string[] | undefined;
  readonly 'sec-fetch-mode'?: string | string[] | undefined;
}

/** How a request came, and by which names this machine goes there. */
export interface Reached {
  readonly secure: boolean;
  /**
   * `loopback`: only names that can be nobody else's. `network`: also this machine's names in the network, and every address:
   * no page can have an address for its name but from the server at that address. `public`: what is asked for is
   * everybody's, under whatever name a router gave this machine.
   */
  readonly names: 'loopback' | 'network' | 'public';
  /** This machine's names and addresses in the network, lower case. Asked only where a request does not come by loopback's. */
  readonly own?: () => readonly string[];
}

export interface Address {
  readonly name: string;
  readonly port: number;
}

const ipv4 = /^(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}$/;
const literal = (name: string): boolean => name.startsWith('[') || ipv4.test(name);

/** Only what can never be a name in somebody's DNS zone: `localhost` (RFC 6761, section 6.3) and address literals. */
const isLoopback = (name: string): boolean =>
  name === 'localhost' || name === '[::1]' || (name.startsWith('127.') && ipv4.test(name));

/** `host[:port]` (RFC 9110, section 7.2), strictly; no port is the scheme's own. */
export function parseAddress(text: string, secure = false): Address | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(\d{1,5}))?$/.exec(text.toLowerCase());
  if (!match?.[1]) return undefined;
  return { name: match[1], port: match[2] === undefined ? (secure ? 443 : 80) : Number(match[2]) };
}

/** A header's text shortened and made printable for an answer or a log line. */
const shown = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);

const plainLoopback: Reached = { secure: false, names: 'loopback' };

/**
 * @param port the port this server listens on.
 * @returns undefined when the request may go on, else one sentence for a 403.
 */
export function refusal(headers: AskerHeaders, port: number, reached: Reached = plainLoopback): string | undefined {
  const { host, origin } = headers;
  const { secure } = reached;
  const scheme = secure ? 'https' : 'http';
  if (host === undefined) return 'This request names no Host; Hearth answers only on its own names.';
  const own = parseAddress(host, secure);
  if (!own || !isOurs(own, port, reached)) {
    const instead = reached.names === 'loopback' ? ['localhost', '127.0.0.1'] : forPeople(reached.own?.() ?? []);
    const over = reached.names === 'public' ? 'https' : scheme;
    return `Host ${shown(host)} is not this server: open ${instead.map(name => `${over}://${name}:${port}`).join(' or ')} instead.`;
  }
  if (origin !== undefined) {
    const start = `${scheme}://`;
    const page = origin.startsWith(start) ? parseAddress(origin.slice(start.length), secure) : undefined;
    if (!page || page.name !== own.name || page.port !== own.port) {
      return `A page of origin ${shown(origin)} may not use Hearth; only Hearth's own pages may.`;
    }
  }
  // A foreign page's <img>, <script> or <iframe> sends no Origin, but says where it comes from. Following a link is fine.
  const site = headers['sec-fetch-site'];
  const foreign = site !== undefined && site !== 'same-origin' && site !== 'none';
  if (foreign && headers['sec-fetch-mode'] !== 'navigate') {
    return `A page of another site (${shown(String(site))}) may not load anything from Hearth; only Hearth's own pages may.`;
  }
  return undefined;
}

/** Two names to go by instead: none that only this machine or only programs use. */
function forPeople(own: readonly string[]): readonly string[] {
  const good = own.filter(name => !isLoopback(name) && !/:|\.hearth\.internal$/.test(name));
  return good.length === 0 ? ['localhost'] : good.sort((a, b) => rank(a) - rank(b)).slice(0, 2);
}
/** A name that mDNS gives first, as it works without anybody's doing; then an address, then a name somebody else must know. */
const rank = (name: string): number => (name.endsWith('.local') ? 0 : literal(name) ? 1 : 2);

function isOurs({ name, port: asked }: Address, port: number, { names, own }: Reached): boolean {
  if (names === 'public') return true;
  if (asked !== port) return false;
  return isLoopback(name) || (names === 'network' && (literal(name) || own?.().includes(name) === true));
}
