/** What the cluster works at: jobs, the heat that comes of work, and who is woken for it. One front door for the supervisor. */
import type { ArtifactUse } from './artifacts/uses.ts';
import { Heating, type HeatingParts } from './heat/heating.ts';
import { Jobs } from './jobs/jobs.ts';
import type { JobsParts } from './jobs/parts.ts';
import type { Session } from './orders/orders.ts';
import { Waking, type WakingParts } from './power/waking.ts';
import type { UplinkEnd } from './uplink/uplink-part.ts';

export interface LabourParts {
  readonly jobs: JobsParts;
  readonly heating: Omit<HeatingParts, 'jobs' | 'wakes'>;
  readonly waking: WakingParts;
}

export class Labour {
  readonly jobs: Jobs;
  readonly heating: Heating;
  readonly waking: Waking;

  constructor(parts: LabourParts) {
    this.jobs = new Jobs(parts.jobs);
    this.waking = new Waking(parts.waking);
    this.heating = new Heating({ ...parts.heating, jobs: this.jobs, wakes: this.waking.knows });
  }

  /** For whoever hands out messages. */
  get parts(): { readonly jobs: Jobs; readonly heating: Heating; readonly waking: Waking } {
    return { jobs: this.jobs, heating: this.heating, waking: this.waking };
  }

  /** The journal is loaded. `done` once, with one sentence where something could not be read. */
  load(done: (error: string | undefined, boot: number) => void): void {
    const steps = [this.waking, this.heating];
    const next = (error?: string): void => {
      const step = steps.shift();
      if (error !== undefined) done(error, 0);
      else if (step) step.load(next);
      else this.jobs.load(done);
    };
    next();
  }

  usedArtifacts = (): Iterable<ArtifactUse> => this.jobs.usedArtifacts();

  nodeChanged(node: string): void {
    this.jobs.nodeChanged(node);
    this.waking.nodeChanged(node);
    this.heating.nodeChanged(node);
  }

  /** Documents of nodes are others. */
  changed(nodes: readonly string[]): void {
    this.jobs.changed(nodes);
    this.heating.changed(nodes);
  }

  session(node: string, session: Session | undefined): void {
    this.jobs.session(node, session);
    this.waking.session(node, session);
  }

  nodeGone(node: string): void {
    this.jobs.nodeGone(node);
    this.waking.nodeGone(node);
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
    this.waking.stop();
    this.heating.stop(() => this.jobs.stop(done));
  }
}
