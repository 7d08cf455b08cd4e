/** Home Assistant's WebSocket interface: numbered commands, each with one answer. */
import { WebSocket } from 'ws';
import { patienceMs } from '../../fixture/processes.ts';

export interface Socket {
  ask<T = unknown>(type: string, more: Readonly<Record<string, unknown>>): Promise<T>;
  close(): void;
}

interface Answer {
  readonly id?: number;
  readonly type: string;
  readonly success?: boolean;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

export function openSocket(url: string, token: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/api/websocket`);
    const waiting = new Map<number, (answer: Answer) => void>();
    let last = 0;
    const ask = <T>(type: string, more: Readonly<Record<string, unknown>>): Promise<T> =>
      new Promise((answered, refused) => {
        const id = ++last;
        const late = setTimeout(() => refused(new Error(`no answer to ${type}`)), patienceMs);
        waiting.set(id, ({ success, result, error }) => {
          clearTimeout(late);
          if (success) answered(result as T);
          else refused(new Error(`${type}: ${error?.code} ${error?.message}`));
        });
        socket.send(JSON.stringify({ id, type, ...more }));
      });
    socket.on('error', reject);
    socket.on('message', data => {
      const answer = JSON.parse(String(data)) as Answer;
      if (answer.type === 'auth_required') socket.send(JSON.stringify({ type: 'auth', access_token: token }));
      else if (answer.type === 'auth_ok') resolve({ ask, close: () => socket.terminate() });
      else if (answer.type === 'auth_invalid') reject(new Error('Home Assistant refuses the token'));
      else if (answer.type === 'result' && answer.id !== undefined) {
        waiting.get(answer.id)?.(answer);
        waiting.delete(answer.id);
      }
    });
  });
}
