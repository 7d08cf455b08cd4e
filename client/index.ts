/**
 * Hearth for programs: `hearth/client`. Jobs go out over one MQTT connection, and results come back in order.
 *
 *     const hearth = await connect('mqtt://127.0.0.1:1883');
 *     const pictures = await hearth.map('render', frames, { where: 'cores >= 4' });
 */
import { type ConnectOptions, openConnection } from './connect.ts';
import { Hearth } from './hearth.ts';
import { Session } from './session.ts';

export type { ConnectOptions } from './connect.ts';
export { HearthError, type HearthErrorCode, JobError, TaskError } from './errors.ts';
export type { RunOptions, StreamOptions } from './hearth.ts';
export type { JobHandle } from './job.ts';
export type { TaskResult } from './results.ts';
export { inline, type JobInput, type MapOptions, type MapReduceOptions, type Progress, type Work } from './work.ts';
export { Job, type JobFunction, type JobOptions } from './worker/job.ts';
export { Manager, type ManagerOptions, type WorkerState } from './worker/manager.ts';
export { Worker, type WorkerOptions } from './worker/worker.ts';
export type { Hearth };

/**
 * Connects to a cluster's broker; later losses of the connection are mended by themselves.
 * @param url default `mqtt://127.0.0.1:1883`, this machine's supervisor
 * @throws HearthError `connect` with what to do
 */
export async function connect(url = 'mqtt://127.0.0.1:1883', options: ConnectOptions = {}): Promise<Hearth> {
  return new Hearth(new Session(await openConnection(url, options), options.base));
}
