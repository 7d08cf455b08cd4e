/** What the supervisor takes as a document of each noun. */
import { wrongWith } from '../../broker/heat/rooms/accept.ts';
import type { ContractError } from '../../shared/errors.ts';
import { nodeInput, roleInput } from '../../shared/schemas/node-document.ts';
import { type RoomDocument, roomInput } from '../../shared/schemas/room.ts';
import type { Document } from './document.ts';

export const inputs = { role: roleInput, node: nodeInput, room: roomInput } as const;

/** Why the supervisor would refuse a room that fits its schema. */
export const roomProblem = (document: Document): ContractError | undefined =>
  wrongWith(document as unknown as RoomDocument);
