/** What a room's controller remembers: plain JSON, checked when it is loaded. */
import { z } from 'zod';
import { freshPace, type PaceState } from './early-start.ts';
import { freshLosses, type LossesState } from './losses.ts';
import { freshWindow, type WindowState } from './open-window.ts';
import { freshResponse, type ResponseState } from './response.ts';
import { freshSwing, type SwingState } from './swing.ts';

export interface ControlState {
  readonly v: 1;
  /** `now` of the last step; not kept over a restart, since clocks are not. */
  readonly at?: number;
  /** What demanded last. */
  readonly by: 'nobody' | 'room' | 'direct';
  readonly integralW: number;
  /** Outdoor feed-forward, slowed down; undefined: there is no outdoor reading. */
  readonly forwardW?: number;
  /** What is added so that a change of what demands makes no jump; wears off. */
  readonly bumpW: number;
  readonly kc: number;
  /** Watts between idle and all, the most of the last day: quiet hours make no other room of it. */
  readonly rangeW: number;
  readonly targetC?: number;
  /** The thermometer, smoothed. */
  readonly c?: number;
  /** What was asked last, and the watts that were drawn, smoothed over 5 and 15 minutes. */
  readonly demandW: number;
  readonly drawnW?: number;
  readonly steadyW?: number;
  readonly window: WindowState;
  readonly response: ResponseState;
  readonly losses: LossesState;
  readonly pace: PaceState;
  readonly swing: SwingState;
}

export const freshControl = (): ControlState => ({
  v: 1,
  by: 'nobody',
  integralW: 0,
  bumpW: 0,
  kc: 0,
  rangeW: 0,
  demandW: 0,
  window: freshWindow(),
  response: freshResponse(),
  losses: freshLosses(),
  pace: freshPace(),
  swing: freshSwing(),
});

const number = z.number();
const counter = z.number().nonnegative();
const watts = z.number().min(-1e6).max(1e6);
const fit = (n: number) => z.object({ theta: z.array(number).length(n), p: z.array(number).length(n * n) });
const fresh = freshResponse();

const saved = z.object({
  v: z.literal(1),
  integralW: watts,
  forwardW: watts.optional(),
  kc: z.number().min(0).max(1e6),
  rangeW: z.number().min(0).max(1e6),
  demandW: watts,
  response: z.object({
    candidates: z.array(z.object({ fit: fit(2), error: counter })).length(fresh.candidates.length),
    naive: counter,
    samples: counter,
  }),
  losses: z.object({ fit: fit(3), samples: counter }),
  pace: z.object({ pace: z.number().min(0.1).max(10), runs: counter }),
  swing: z.object({ calm: z.number().min(0.05).max(1) }),
});

/**
 * What was kept, after a restart: gains learned and the watts that hold the room; nothing that counts on a clock. What is no state of this version
 * is a fresh one: a room learns anew, which is no danger.
 */
export function loadedControl(kept: unknown): ControlState {
  const { success, data } = saved.safeParse(kept);
  if (!success) return freshControl();
  const { forwardW, ...rest } = data;
  return {
    ...freshControl(),
    integralW: rest.integralW,
    ...(forwardW !== undefined && { forwardW }),
    kc: rest.kc,
    rangeW: rest.rangeW,
    demandW: rest.demandW,
    response: { ...fresh, ...rest.response },
    losses: { ...freshLosses(), ...rest.losses },
    pace: rest.pace,
    swing: { ...freshSwing(), calm: rest.swing.calm },
  };
}
