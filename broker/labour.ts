/** What the cluster works at: jobs, and the heat that comes of work. One front door for the supervisor. */
import type { ArtifactUse } from './artifacts/uses.ts';
import { Heating, type HeatingParts } from './heat/heating.ts';
import { Jobs } from './jobs/jobs.ts';
import type { JobsParts } from './jobs/parts.ts';
import type { Session } from './orders/orders.ts';
import type { UplinkEnd } from './uplink/uplink-part.ts';

export interface LabourParts {
  readonly jobs: JobsParts;
  readonly heating: Omit<HeatingParts, 'jobs'>;
}

export class Labour {
  readonly jobs: Jobs;
  readonly heating: Heating;

  constructor(parts: LabourParts) {
    this.jobs = new Jobs(parts.jobs);
    this.heating = new Heating({ ...parts.heating, jobs: this.jobs });
  }

  /** For whoever hands out messages. */
  get parts(): { readonly jobs: Jobs; readonly heating: Heating } {
    return { jobs: this.jobs, heating: this.heating };
  }

  /** The journal is loaded. `done` once, with one sentence where something could not be read. */
  load(done: (error: string | undefined, boot: number) => void): void {
    this.heating.load(error => (error === undefined ? this.jobs.load(done) : done(error, 0)));
  }

  usedArtifacts = (): Iterable<ArtifactUse> => this.jobs.usedArtifacts();

  nodeChanged(node: string): void {
    this.jobs.nodeChanged(node);
    this.heating.nodeChanged(node);
  }

  /** Documents of nodes are others. */
  changed(nodes: readonly string[]): void {
    this.jobs.changed(nodes);
    this.heating.changed(nodes);
  }

  session(node: string, session: Session | undefined): void {
    this.jobs.session(node, session);
  }

  nodeGone(node: string): void {
    this.jobs.nodeGone(node);
    this.heating.nodeGone(node);
  }

  /** Alone on this base: everything retained is written again. */
  everything(done: () => void): void {
    this.jobs.everything(() => this.heating.everything(done));
  }

  /** Connected anew, and alone on this base. */
  again(): void {
    this.jobs.again();
    this.heating.begin();
  }

  /** A topic of a thermometer or a plug that the broker lets nobody hear. */
  unheard = (filter: string, reason: string): void => this.heating.unheard('own', filter, reason);

  /** The broker is gone. */
  down(): void {
    this.heating.down();
  }

  uplinkEnd(command: UplinkEnd['command']): UplinkEnd {
    const { heating } = this;
    return {
      command,
      heard: (topic, payload, retain) => heating.uplinkHeard(topic, payload, retain),
      up: () => heating.uplinkUp(),
      down: () => heating.uplinkDown(),
    };
  }

  stop(done: () => void): void {
    this.heating.stop(() => this.jobs.stop(done));
  }
}
