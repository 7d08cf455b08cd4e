import type { Socket } from 'node:net';
import { endsOf, type SocketOwners } from '../access/socket-owner.ts';
import type { Peer } from '../trust/types.ts';

/** What is known of the other end of a plain TCP connection. */
export function peerOfTcp(socket: Socket, owners: SocketOwners): Peer | Promise<Peer> {
  const ends = endsOf(socket);
  const as = (owner: boolean): Peer => ({ transport: 'tcp', address: ends.address, owner });
  const owner = owners.isOwner(ends);
  return owner instanceof Promise ? owner.then(as) : as(owner);
}
