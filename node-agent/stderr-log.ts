/** The agent's log: JSON lines on stderr, through pino. */
import { pino } from 'pino';
import type { Log } from '../shared/log.ts';

export function stderrLog(debug: boolean): Log {
  const out = pino.destination({ dest: 2, sync: true });
  // Whoever read it is gone; the agent is not.
  out.on('error', () => {});
  return pino({ level: debug ? 'debug' : 'info', base: { pid: process.pid } }, out);
}
