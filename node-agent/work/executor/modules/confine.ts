/**
 * Inside of a process for inline code, before any of it is read: takes away what is not computing. Node's permission model
 * (files, children, threads, addons), the network namespace and the account are the walls; this is the second one, as Node
 * 20 to 24 do not keep code from the network. Sent as text: see serving.ts.
 */
import type { Setup } from './wire.ts';

export function confine(need: NodeJS.Require, setup: Setup): () => Promise<unknown> {
  const vm = need('node:vm') as typeof import('node:vm');
  const { process: self } = globalThis;
  const everything = globalThis as unknown as Record<string | symbol, unknown>;

  // Everything that follows happens with the rights of nobody.
  if (setup.uid !== undefined) {
    self.setgroups?.([]);
    self.setgid?.(setup.uid);
    self.setuid?.(setup.uid);
  }

  const web = ['fetch', 'Headers', 'Request', 'Response', 'FormData', 'WebSocket', 'CloseEvent', 'MessageEvent'];
  const net = setup.net === true;
  if (net) {
    guard();
    // Some are loaded when they are first looked at, with what is gone by then.
    for (const name of web) void everything[name];
  }
  // Node loads its HTTP client with the first of these, and leaves a way to it on the global object.
  else Object.defineProperty(everything, Symbol.for('undici.globalDispatcher.1'), { value: Object.freeze({}) });

  const language =
    'Object Function Array Number parseFloat parseInt Infinity NaN undefined Boolean String Symbol Date Promise RegExp Error ' +
    'AggregateError EvalError RangeError ReferenceError SyntaxError TypeError URIError SuppressedError globalThis global JSON Math ' +
    'Intl ArrayBuffer Atomics Uint8Array Int8Array Uint16Array Int16Array Uint32Array Int32Array Float16Array Float32Array ' +
    'Float64Array Uint8ClampedArray BigUint64Array BigInt64Array DataView Map BigInt Set Iterator WeakMap WeakSet WeakRef Proxy ' +
    'Reflect FinalizationRegistry DisposableStack AsyncDisposableStack decodeURI decodeURIComponent encodeURI ' +
    'encodeURIComponent escape unescape isFinite isNaN SharedArrayBuffer WebAssembly';
  const platform =
    'Blob File queueMicrotask structuredClone atob btoa performance TextEncoder TextDecoder URL URLSearchParams AbortController ' +
    'AbortSignal Event EventTarget DOMException Buffer crypto CompressionStream DecompressionStream ReadableStream ' +
    'WritableStream TransformStream';
  const kept = new Set([...`${language} ${platform}`.split(' '), ...(net ? web : [])]);

  const {
    setTimeout: later,
    clearTimeout: never,
    setInterval: again,
    setImmediate: soon,
    clearImmediate: notSoon,
  } = globalThis;
  const { write } = self.stdout;
  const show = need('node:util').inspect as (value: unknown) => string;
  for (const name of Reflect.ownKeys(everything)) {
    if (typeof name === 'symbol' || kept.has(name)) continue;
    // To look at one may load what stands behind it.
    if (!Reflect.deleteProperty(everything, name)) everything[name] = undefined;
  }
  for (const name of ['compileStreaming', 'instantiateStreaming'])
    delete (everything.WebAssembly as Record<string, unknown>)[name];
  delete (everything.URL as Record<string, unknown>).createObjectURL;
  delete (everything.URL as Record<string, unknown>).revokeObjectURL;

  // Timers are objects of our own here: Node's are joined to one another, and lead to what the harness does.
  class Timer {
    readonly #timer: NodeJS.Timeout | NodeJS.Immediate;
    constructor(start: (call: () => void) => NodeJS.Timeout | NodeJS.Immediate, call: unknown, args: unknown[]) {
      if (typeof call !== 'function') throw new TypeError('a timer calls a function');
      this.#timer = start(() => call(...args));
    }
    ref(): this {
      this.#timer.ref();
      return this;
    }
    unref(): this {
      this.#timer.unref();
      return this;
    }
    hasRef(): boolean {
      return this.#timer.hasRef();
    }
    refresh(): this {
      if ('refresh' in this.#timer) this.#timer.refresh();
      return this;
    }
    static end(timer: unknown): void {
      if (typeof timer !== 'object' || timer === null || !(#timer in timer)) return;
      if ('refresh' in timer.#timer) never(timer.#timer);
      else notSoon(timer.#timer);
    }
  }
  const { end } = Timer;
  const print = (...what: unknown[]): void => {
    write(`${what.map(each => (typeof each === 'string' ? each : show(each))).join(' ')}\n`);
  };
  const given: Record<string, unknown> = {
    setTimeout: (call: unknown, ms: unknown, ...args: unknown[]) =>
      new Timer(run => later(run, Number(ms)), call, args),
    setInterval: (call: unknown, ms: unknown, ...args: unknown[]) =>
      new Timer(run => again(run, Number(ms)), call, args),
    setImmediate: (call: unknown, ...args: unknown[]) => new Timer(run => soon(run), call, args),
    clearTimeout: end,
    clearInterval: end,
    clearImmediate: end,
    console: { log: print, info: print, debug: print, warn: print, error: print },
  };
  for (const [name, value] of Object.entries(given)) {
    Object.defineProperty(everything, name, { value, writable: true, configurable: true });
  }

  // A setter on what everything inherits from would be handed objects from inside of Node. Methods may not be replaced
  // where the harness and Node use them; `Object` and errors stay writable: programs do set `toString` and `name`.
  for (const name of language.split(' ')) {
    const type = everything[name] as { prototype?: object } | undefined;
    const prototype = type?.prototype;
    if (!prototype) continue;
    if (name === 'Object' || name.endsWith('Error')) Object.preventExtensions(prototype);
    else Object.freeze(prototype);
  }
  const hidden = [
    Object.getPrototypeOf(Uint8Array.prototype),
    Object.getPrototypeOf(async () => {}),
    Object.getPrototypeOf(function* () {}),
    Object.getPrototypeOf(async function* () {}),
    Object.getPrototypeOf([][Symbol.iterator]()),
    Object.getPrototypeOf(new Map()[Symbol.iterator]()),
    Object.getPrototypeOf(new Set()[Symbol.iterator]()),
    Object.getPrototypeOf(''[Symbol.iterator]()),
  ];
  for (const prototype of [...hidden, Buffer.prototype, EventTarget.prototype, AbortSignal.prototype])
    Object.freeze(prototype);
  for (const each of [Promise, Reflect, JSON, Math, Object, Array, Buffer]) Object.freeze(each);

  return async () => {
    const refuse = (): never => {
      throw new Error(
        'inline code can import nothing: what it needs beside the language belongs into a package ("package" instead of "code")',
      );
    };
    const module = new vm.SourceTextModule(setup.code ?? '', {
      identifier: 'code',
      initializeImportMeta() {},
      importModuleDynamically: refuse,
    });
    await module.link(refuse);
    await module.evaluate();
    return (module.namespace as { default?: unknown }).default;
  };

  /** Who may use the network still has no way to this machine itself, where being on it may count as a login. */
  function guard(): void {
    const { Socket, isIP, BlockList } = need('node:net') as typeof import('node:net');
    const dns = need('node:dns') as typeof import('node:dns');
    const closed = new BlockList();
    closed.addSubnet('127.0.0.0', 8);
    closed.addSubnet('0.0.0.0', 8);
    closed.addSubnet('169.254.0.0', 16);
    closed.addSubnet('224.0.0.0', 3);
    closed.addSubnet('::', 127, 'ipv6');
    closed.addSubnet('fe80::', 10, 'ipv6');
    for (const address of setup.own ?? []) closed.addAddress(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
    const isClosed = (address: string): boolean => {
      const kind = isIP(address);
      // A BlockList looks through IPv4 in IPv6 only in some versions of Node: nothing of that kind is let through.
      return (
        kind === 0 || (kind === 6 && /^::|\.|%/.test(address)) || closed.check(address, kind === 6 ? 'ipv6' : 'ipv4')
      );
    };
    const no = (): Error => new Error('inline code has no way to the machine that it runs on');
    const { connect } = Socket.prototype;
    const { lookup } = dns;
    Socket.prototype.connect = function (this: import('node:net').Socket, ...args: unknown[]) {
      // As Node's own parts call it: with a list of options and listener, or with options.
      const [options, listener] = (Array.isArray(args[0]) ? args[0] : args) as [Record<string, unknown>, () => void];
      if (typeof options !== 'object' || options === null || options.path !== undefined) throw no();
      const host = String(options.host ?? 'localhost');
      if (isIP(host) !== 0 && isClosed(host)) throw no();
      const looked = (name: string, how: object, done: (error: Error | null, ...rest: unknown[]) => void) =>
        lookup(name, { ...how, all: true }, (error, found) => {
          if (error) return done(error);
          const open = found.filter(({ address }) => !isClosed(address));
          if (open.length === 0) return done(no());
          if ((how as { all?: boolean }).all) return done(null, open);
          done(null, open[0]?.address, open[0]?.family);
        });
      return connect.call(this, { ...options, host, lookup: looked } as never, listener);
    } as typeof connect;
  }
}
