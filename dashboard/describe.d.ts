/** Types of describe.js for the tests; the page itself runs the JavaScript as it stands. */
import type { NodeView } from '../shared/fleet-view.ts';
import type { ItemStatus } from '../shared/schemas/observed.ts';

export type Tone = 'good' | 'busy' | 'bad' | 'idle' | 'off';
export type Group = 'all' | 'online' | 'offline' | 'trouble';
export interface Said {
  readonly text: string;
  readonly tone: Tone;
}
export function servicesOf(node: NodeView): (ItemStatus & { name: string; tone: Tone; isService: boolean })[];
export function stateOf(node: NodeView): { word: string; tone: Tone };
export function converged(node: NodeView): boolean | undefined;
export function wantOf(node: NodeView): Said;
export function drawnBy(node: Pick<NodeView, 'load' | 'heat'>): number | undefined;
export function totals(
  nodes: Iterable<NodeView>,
): Record<'nodes' | 'online' | 'cores' | 'converged' | 'services' | 'running' | 'busyCores' | 'watts', number>;
export function groupOf(node: NodeView): Group;
export function matches(node: NodeView, search: string, group: Group): boolean;
export function span(seconds: number): string;
export function rate(kbps: number): string;
export function size(mb: number): string;
export function coreBars(cores: readonly number[]): {
  width: number;
  height: number;
  paths: Record<'track' | 'cool' | 'warm' | 'hot', string>;
};
export function clockOf(node: NodeView): string;
