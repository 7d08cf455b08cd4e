/** The session's cookie. Over TLS its name begins with `__Host-`: a browser then takes it from this host, path / and TLS only. */
import { parseCookie, stringifySetCookie } from 'cookie';

/** Cookies know no ports: the port in the name keeps two supervisors of one machine apart. */
const cookieName = (secure: boolean, port: number): string => `${secure ? '__Host-' : ''}hearth-${port}`;

export function readSessionCookie(header: string | undefined, secure: boolean, port: number): string | undefined {
  // A browser sends 4 kB at most for each; the headers together are bounded by Node.
  return header === undefined ? undefined : parseCookie(header)[cookieName(secure, port)];
}

/** @param id undefined: the browser forgets it. */
export function sessionCookie(id: string | undefined, secure: boolean, port: number, maxAgeS: number): string {
  return stringifySetCookie({
    name: cookieName(secure, port),
    value: id ?? '',
    path: '/',
    httpOnly: true,
    sameSite: 'strict',
    secure,
    maxAge: id === undefined ? 0 : Math.max(1, Math.floor(maxAgeS)),
  });
}
