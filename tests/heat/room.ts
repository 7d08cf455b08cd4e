/**
 * A room as three heats: its air with what answers at once, its furniture, its walls; after the five-resistance model of ISO 13790 (2008, annex
 * C), with the furniture apart. A neighbour's flat on the other side of a wall, a window that sun comes through and that somebody opens.
 */
export interface RoomKind {
  readonly name: string;
  /** Floor, m². */
  readonly area: number;
  /** Wh per °C. */
  readonly airWh: number;
  readonly furnitureWh: number;
  readonly wallsWh: number;
  /** W per °C: air to furniture, air to the walls' inside, walls to outdoors, air to outdoors (window and leaks), to the neighbour. */
  readonly airFurniture: number;
  readonly airWalls: number;
  readonly wallsOut: number;
  readonly airOut: number;
  readonly neighbour: number;
  readonly neighbourC: number;
  /** Glass, m², and where it looks: degrees clockwise from north. */
  readonly glass: number;
  readonly facing: number;
  /** W per °C more while the window is open. */
  readonly openOut: number;
}

/** From floor and what it is built of. W per °C of `wallsOut` and `airOut` say how well it keeps warm. */
export function roomKind(
  name: string,
  area: number,
  weight: 'light' | 'medium' | 'heavy',
  rest: Pick<RoomKind, 'wallsOut' | 'airOut' | 'glass' | 'facing'> & Partial<RoomKind>,
): RoomKind {
  // ISO 13790 table 12: 110, 165 and 260 kJ/K per m² of floor; 3.45 W/m²K to 4.5 m² of surface per m² of floor.
  const kJ = { light: 110, medium: 165, heavy: 260 }[weight];
  return {
    name,
    area,
    // Air of 2.5 m height, and as much again in curtains, papers and the skin of things.
    airWh: area * 2.5 * 0.335 * 2,
    furnitureWh: area * 8,
    wallsWh: (area * kJ) / 3.6,
    airFurniture: area * 5,
    airWalls: area * 4.5 * 3.45 * 0.8,
    neighbour: area * 0.4,
    neighbourC: 19,
    openOut: 60,
    ...rest,
  };
}

export interface Around {
  readonly outdoorC: number;
  /** W per m² of the window's glass. */
  readonly sun: number;
  /** W of people and what they use. */
  readonly people: number;
  readonly open: boolean;
}

/** Share of the sun on the glass that comes in: double glazing, frame, a curtain. */
const sunShare = 0.4;

export class Room {
  airC: number;
  furnitureC: number;
  wallsC: number;
  readonly kind: RoomKind;

  constructor(kind: RoomKind, startC: number, outdoorC: number) {
    this.kind = kind;
    this.airC = startC;
    this.furnitureC = startC;
    const { airWalls, wallsOut, neighbour, neighbourC } = kind;
    this.wallsC =
      (airWalls * startC + wallsOut * outdoorC + neighbour * neighbourC) / (airWalls + wallsOut + neighbour);
  }

  /** °C per hour of the air without machines, and with them per W. */
  step(s: number, machinesW: number, around: Around): void {
    const k = this.kind;
    const h = s / 3600;
    const sunW = around.sun * k.glass * sunShare;
    const out = k.airOut + (around.open ? k.openOut : 0);
    const toFurniture = k.airFurniture * (this.airC - this.furnitureC);
    const toWalls = k.airWalls * (this.airC - this.wallsC);
    // Sun falls on things more than on air; people and machines warm half by radiation.
    const gains = machinesW + around.people;
    const air = 0.2 * sunW + 0.7 * gains - toFurniture - toWalls - out * (this.airC - around.outdoorC);
    const furniture = 0.3 * sunW + 0.1 * gains + toFurniture;
    const walls =
      0.5 * sunW +
      0.2 * gains +
      toWalls -
      k.wallsOut * (this.wallsC - around.outdoorC) -
      k.neighbour * (this.wallsC - k.neighbourC);
    this.airC += (air / k.airWh) * h;
    this.furnitureC += (furniture / k.furnitureWh) * h;
    this.wallsC += (walls / k.wallsWh) * h;
  }

  /** Watts of machines that bring the air to `targetC` within the step, all known. */
  neededW(s: number, targetC: number, around: Around): number {
    const k = this.kind;
    const out = k.airOut + (around.open ? k.openOut : 0);
    const flows =
      0.2 * around.sun * k.glass * sunShare +
      0.7 * around.people -
      k.airFurniture * (this.airC - this.furnitureC) -
      k.airWalls * (this.airC - this.wallsC) -
      out * (this.airC - around.outdoorC);
    return (((targetC - this.airC) * k.airWh) / (s / 3600) - flows) / 0.7;
  }
}
