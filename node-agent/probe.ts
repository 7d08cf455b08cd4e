/** Whether somebody listens at an address, told once. */
import { connect } from 'node:net';

const probeMs = 1000;

export function probe(host: string, port: number, done: (listens: boolean) => void): void {
  const socket = connect({ host, port, timeout: probeMs });
  let told = false;
  const tell = (listens: boolean) => {
    if (told) return;
    told = true;
    socket.destroy();
    done(listens);
  };
  socket.once('connect', () => tell(true));
  socket.on('error', () => tell(false));
  socket.once('timeout', () => tell(false));
  socket.once('close', () => tell(false));
}
