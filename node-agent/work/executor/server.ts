/** The executor's process, but for what it runs: its socket, the agent that is there at the moment, and when it ends. */
import { chmodSync, existsSync, unlinkSync } from 'node:fs';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import type { Clock } from '../../../shared/clock.ts';
import type { Recipe } from '../../../shared/schemas/work.ts';
import type { LeaseFile } from '../../heat/lease-file.ts';
import type { ExecutorTask } from '../executor.ts';
import { AgentFiles } from './agent-files.ts';
import type { HeatGroups } from './heat-groups.ts';
import { HeatSide } from './heat-side.ts';
import { Line } from './line.ts';
import type { LineParts } from './line-parts.ts';
import { endedLines, Results } from './results.ts';
import type { Runner, Settings } from './runner.ts';
import { Share } from './share.ts';
import { isToken, Lines, line, protocol, socketName, taskOf, tokensOf } from './wire.ts';

export interface ServerParts {
  readonly clock: Clock;
  /** With nothing to do. */
  readonly idleMs: number;
  readonly heat: HeatGroups;
  readonly lease: Pick<LeaseFile, 'isOver'>;
  /** By what the recipe has. */
  readonly runners: (files: AgentFiles) => Readonly<Record<RunnerName, Runner>>;
  /** The process may end. */
  over(): void;
}

export const runnerNames = ['run', 'plugin', 'package', 'code'] as const;
export type RunnerName = (typeof runnerNames)[number];

/** Waits to be read by an agent that is slow: more, and nothing new begins. */
const mostUnread = 16 * 1024 * 1024;
/** For the agent that started it to come: it may be held up. */
const metWithinMs = 30_000;
/** Results without an agent that takes them. */
const abandonedMs = 24 * 3_600_000;

export class Server {
  readonly #parts: ServerParts;
  readonly #files = new AgentFiles((...message) => this.#say(...message));
  readonly #runners: Readonly<Record<RunnerName, Runner>>;
  readonly #results = new Results();
  readonly #line: Line;
  readonly #heat: HeatSide;
  readonly #net: NetServer;
  #agent: Socket | undefined;
  #heard = 0;
  #started: number[] = [];
  #ended: string[] = [];
  #dropped: number[] = [];
  #others = '';
  #flushing = false;
  #draining = false;
  #ending = false;
  #idleSince: number;
  /** Some agent has been here. */
  #isMet = false;

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#runners = parts.runners(this.#files);
    this.#idleSince = parts.clock.now();
    const ofLine: LineParts = {
      share: new Share(parts.clock.now()),
      now: () => parts.clock.now(),
      after: (ms, fn) => parts.clock.after(ms, fn),
      runner: recipe => this.#runnerOf(recipe),
      forget: r => {
        for (const name of runnerNames) this.#runners[name].forget(r);
      },
      started: token => this.#started.push(token) && this.#soon(),
      ended: result => this.#ended.push(this.#results.keep(result)) && this.#soon(),
      dropped: tokens => this.#dropped.push(...tokens) && this.#soon(),
      checkpoint: (token, base64) => this.#say('checkpoint', token, base64),
      full: () => this.#results.full || (this.#agent?.writableLength ?? 0) > mostUnread,
    };
    this.#line = new Line(ofLine);
    const { clock, heat: groups, lease } = parts;
    const frozen = (tokens: readonly number[]) => this.#say('frozen', tokens);
    const isOver = () => lease.isOver();
    this.#heat = new HeatSide({ clock, groups, line: this.#line, frozen, isOver }, ofLine);
    this.#net = createServer(socket => this.#welcome(socket));
  }

  /** In the present folder: the paths of sockets are short (unix(7): 107 bytes). `ready` once agents may come. */
  listen(ready: () => void): void {
    try {
      unlinkSync(socketName);
    } catch {}
    this.#net.listen(socketName, () => {
      chmodSync(socketName, 0o600);
      ready();
      this.#watch();
    });
  }

  /** Ends all tasks, and itself. */
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#heat.end();
    let left = runnerNames.length;
    const gone = () => {
      if (--left === 0) this.#over();
    };
    for (const name of runnerNames) this.#runners[name].close(gone);
  }

  #over(): void {
    this.#flush();
    this.#net.close();
    const { over } = this.#parts;
    if (this.#agent) this.#agent.end(over);
    else over();
  }

  #runnerOf(recipe: Recipe): Runner | string {
    const name = runnerNames.find(each => recipe[each] !== undefined);
    return name ? this.#runners[name] : 'this node does not know such work: its agent is older than its supervisor';
  }

  #welcome(socket: Socket): void {
    // The one before is dead, or is told so: one agent at a time has this folder.
    this.#agent?.destroy();
    this.#agent = socket;
    this.#isMet = true;
    this.#heard = 0;
    const lines = new Lines();
    const gone = () => {
      if (this.#agent !== socket) return;
      this.#agent = undefined;
      this.#heat.agentLeft();
    };
    socket.on('error', gone).on('close', gone);
    socket.on('data', chunk => {
      if (this.#agent !== socket) return;
      try {
        for (const message of lines.push(chunk)) this.#hear(message);
      } catch (error) {
        console.error(`the agent was sent away: ${(error as Error).message}`);
        socket.destroy();
      }
    });
    // All that was to be told is told anew.
    [this.#started, this.#ended, this.#dropped, this.#others] = [[], [], [], ''];
    const held = [...this.#line.held(), ...this.#heat.held()];
    socket.write(line('hello', { proto: protocol, pid: process.pid, held }));
    if (this.#heat.frozen.length > 0) socket.write(line('frozen', this.#heat.frozen));
    this.#heat.agentCame();
    socket.write(endedLines(this.#results.all()));
    this.#files.again();
    socket.on('drain', () => this.#pump());
  }

  #hear(message: readonly unknown[]): void {
    this.#heard++;
    const [kind, first, second] = message;
    if (kind === 'run') this.#run(first, second);
    else if (kind === 'taken') {
      const wasFull = this.#results.full;
      this.#results.taken(tokensOf(first));
      if (wasFull) this.#pump();
    } else if (kind === 'kill') {
      const tokens = tokensOf(first);
      this.#results.taken(tokens);
      this.#line.kill(this.#heat.split(tokens, (line, own) => line.kill(own)));
    } else if (kind === 'back') {
      this.#line.takeBack(this.#heat.split(tokensOf(first), (line, own) => line.takeBack(own)));
    } else if (kind === 'forget') {
      this.#line.forget(tokensOf(first));
      this.#heat.forget(tokensOf(first));
    } else if (kind === 'heat') this.#heat.limit(first, second);
    else if (kind === 'urgent') this.#heat.urgent(tokensOf(first));
    else if (kind === 'fetched' || kind === 'uploaded') this.#files.answered(message);
    else if (kind === 'set') this.#set(first as Settings);
    else if (kind === 'drain') this.#draining = true;
    else if (kind === 'end') this.end();
  }

  #run(recipes: unknown, tasks: unknown): void {
    if (!Array.isArray(recipes) || !Array.isArray(tasks)) throw new Error('a run without recipes and tasks');
    const known = tasks.map(taskOf);
    if (known.includes(undefined)) throw new Error('a task that is none');
    const good = known.flatMap(task => task ?? []);
    if (this.#draining || this.#ending) this.#dropped.push(...good.map(({ token }) => token));
    else this.#add(recipes.filter(isRecipe), good);
    this.#soon();
  }

  #add(recipes: readonly Recipe[], tasks: readonly ExecutorTask[]): void {
    const others = this.#heat.add(recipes, tasks);
    this.#line.add(
      recipes.filter(({ heat }) => !heat),
      others,
    );
  }

  #pump(): void {
    this.#line.pump();
    this.#heat.pump();
  }

  #set(settings: Settings): void {
    if (!Number.isSafeInteger(settings?.slots) || settings.slots < 0) throw new Error('settings without slots');
    for (const name of runnerNames) this.#runners[name].configure(settings);
    this.#line.slots(settings.slots);
  }

  #say(...message: unknown[]): void {
    this.#others += line(...message);
    this.#soon();
  }

  #soon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => this.#flush());
  }

  /** Starts are told before ends. */
  #flush(): void {
    this.#flushing = false;
    const { clock } = this.#parts;
    this.#idleSince = clock.now();
    let text = this.#started.length > 0 ? line('started', this.#started) : '';
    text += this.#others + endedLines(this.#ended);
    if (this.#dropped.length > 0) text += line('dropped', this.#dropped);
    [this.#started, this.#ended, this.#dropped, this.#others] = [[], [], [], ''];
    if (this.#agent?.writable && text !== '') this.#agent.write(text);
  }

  /** Looks whether it is of any use still. */
  #watch(): void {
    const { clock, idleMs } = this.#parts;
    clock.after(Math.min(idleMs, 1000) / (this.#draining ? 10 : 1), () => {
      if (this.#ending) return;
      // The folder is gone, and with it whoever could ask for results: the agent was taken from this machine.
      if (!existsSync(socketName)) {
        this.end();
        return;
      }
      const idle = clock.now() - this.#idleSince;
      const size = this.#line.size + this.#heat.size;
      const empty = size === 0 && this.#results.size === 0;
      if (empty && this.#draining) this.#over();
      else {
        if (empty && idle >= (this.#isMet ? idleMs : Math.max(idleMs, metWithinMs))) this.#rest();
        else if (size === 0 && !this.#agent && idle >= abandonedMs) this.#over();
        this.#watch();
      }
    });
  }

  /** The agent is asked, since something may be on its way from there. */
  #rest(): void {
    this.#line.closeIdle();
    this.#heat.closeIdle();
    for (const name of runnerNames) this.#runners[name].rest();
    if (!this.#agent) this.end();
    else this.#agent.write(line('idle', this.#heard));
  }
}

const isRecipe = (said: unknown): said is Recipe =>
  typeof said === 'object' && said !== null && 'r' in said && isToken(said.r);
