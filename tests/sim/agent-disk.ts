/** An agent's disk: what `save` wrote is there for ever, what `saveWant` wrote may be gone after a power cut. */
import type { AgentDisk, AgentMemory } from '../../node-agent/disk.ts';
import type { World } from './world.ts';

export class SimDisk implements AgentDisk {
  memory: AgentMemory | undefined;
  /** Writes fail. */
  full = false;
  /** A document could not be written since the disk was last in step with the agent. */
  failed = false;
  #want: string | undefined;
  /** What stands on the platters if the power goes now. */
  #oldWant: string | undefined;
  #world: World;
  #name: string;

  constructor(world: World, name: string) {
    this.#world = world;
    this.#name = name;
  }

  load(): AgentMemory | undefined {
    return this.memory;
  }

  save(memory: AgentMemory): void {
    this.#write();
    this.memory = { ...memory };
    this.#oldWant = this.#want;
  }

  loadWant(): string | undefined {
    return this.#want;
  }

  saveWant(text: string): void {
    if (this.full) this.failed = true;
    this.#write();
    this.failed = false;
    // The one before has been on the disk for a while; this one may not get there.
    this.#oldWant = this.#want;
    this.#want = text;
  }

  /** What kills agents here is the world, never what they apply: safe mode has tests of its own. */
  loadSafeMode = () => ({ ends: 0, safe: false });
  saveSafeMode(): void {}

  #write(): void {
    if (!this.full) return;
    this.#world.note(this.#name, 'disk full');
    throw new Error("cannot write the agent's folder: no space left on device");
  }

  /** @returns whether the document on it is an older one than before. */
  powerCut(): boolean {
    if (this.#want === this.#oldWant || this.#world.dice.machines.chance(0.5)) return false;
    this.#world.note(this.#name, 'the last document was not on the disk yet');
    this.#want = this.#oldWant;
    return true;
  }

  wipe(): void {
    this.memory = undefined;
    this.#want = undefined;
    this.#oldWant = undefined;
  }

  image(): string {
    return JSON.stringify([this.memory, this.#want]);
  }

  restore(image: string): void {
    const [memory, want] = JSON.parse(image) as [AgentMemory | null, string | null];
    this.memory = memory ?? undefined;
    this.#want = want ?? undefined;
    this.#oldWant = this.#want;
  }
}
