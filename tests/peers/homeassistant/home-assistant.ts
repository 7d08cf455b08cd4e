/**
 * Home Assistant itself, in a process of the test's own: its config folder, a free port, one user made by its own
 * onboarding, and its two interfaces, HTTP and WebSocket.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'uvu';
import { folder, freePort, type Started, start, until } from '../../fixture/processes.ts';
import { isThere } from '../../fixture/programs.ts';
import { openSocket } from './socket.ts';

/** What a machine must have for these tests; where it is missing they are skipped, and say so. */
export const needs = ['root', 'debootstrap', 'unshare', 'mosquitto'] as const;

export interface State {
  readonly entity_id: string;
  readonly state: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

export interface HomeAssistant {
  readonly url: string;
  /** Its configuration folder, as this machine sees it. */
  readonly config: string;
  /** What a browser of the same user keeps in its storage to be logged in. */
  readonly tokens: () => Readonly<Record<string, unknown>>;
  /** A command of its WebSocket interface. @throws Error with its answer when it refuses. */
  ask<T = unknown>(type: string, more?: Readonly<Record<string, unknown>>): Promise<T>;
  /** A request of its REST interface; the answer's JSON. */
  request<T = unknown>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<T>;
  /** Carries out an action, such as `climate`, `set_temperature`. */
  act(
    domain: string,
    action: string,
    entity: string | undefined,
    data?: Readonly<Record<string, unknown>>,
  ): Promise<void>;
  states(): Promise<readonly State[]>;
  /** Waits until the entity is there and fits. */
  wait(entity: string, fits?: (state: State) => boolean): Promise<State>;
  /** Lines of its log that warn or complain, without what this installation lacks on purpose. */
  complaints(): readonly string[];
  log(): string;
  /** The process ends and begins again with the same folder. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** The folder with the installation; made when it is not there, which takes a minute or three. */
export function installation(): string {
  const script = join(import.meta.dirname, 'install.sh');
  return execFileSync('/bin/sh', [script], {
    encoding: 'utf8',
    timeout: 9 * 60_000,
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
}

const startsWithinMs = 180_000;

const user = { name: 'Test', username: 'test', password: 'only for tests' };

/** @param settings further lines of configuration.yaml. */
export async function startHomeAssistant(settings = ''): Promise<HomeAssistant> {
  const root = installation();
  const config = folder('hearth-homeassistant-');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  writeFileSync(join(config, 'automations.yaml'), '[]\n');
  writeFileSync(join(config, 'configuration.yaml'), `${configuration(port)}${settings}`);
  let process = await run(root, config, url);
  let earlier = '';
  const tokens = await onboard(url);
  const headers = { authorization: `Bearer ${tokens.access_token}`, 'content-type': 'application/json' };
  let socket = await openSocket(url, tokens.access_token);
  // Port and address count as a trial until a person says that they work; else it goes back to its own, and asks meanwhile.
  await socket.ask('http/config/promote', {});

  const request = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text) as T;
  };
  // Its pages answer while much is still set up, and until all is an automation that is on does not hear of anything.
  const isSetUp = () =>
    until(
      'Home Assistant is set up',
      async () => (await request<{ state: string }>('GET', '/api/config')).state === 'RUNNING',
      startsWithinMs,
    );
  await isSetUp();
  const states = () => request<State[]>('GET', '/api/states');
  const log = () => earlier + process.output();
  return {
    url,
    config,
    tokens: () => ({ ...tokens, hassUrl: url, clientId: `${url}/`, expires: Date.now() + 30 * 60_000 }),
    ask: (type, more = {}) => socket.ask(type, more),
    request,
    states,
    async act(domain, action, entity, data = {}) {
      await request('POST', `/api/services/${domain}/${action}`, {
        ...data,
        ...(entity !== undefined && { entity_id: entity }),
      });
    },
    wait(entity, fits = () => true) {
      let last: State | undefined;
      const what = () => `${entity} is as it should be: ${JSON.stringify(last)}\n${complaintsIn(log()).join('\n')}`;
      return until(what, async () => {
        last = (await states()).find(({ entity_id }) => entity_id === entity);
        return last && fits(last) ? last : undefined;
      });
    },
    complaints: () => complaintsIn(log()),
    log,
    async restart() {
      socket.close();
      await process.stop();
      earlier += process.output();
      process = await run(root, config, url);
      socket = await openSocket(url, tokens.access_token);
      await isSetUp();
    },
    async stop() {
      socket.close();
      await process.stop();
    },
  };
}

/**
 * One for all tests of a file, as it takes longer to start than most of them: none where they are skipped anyway. What its
 * log says before a test is no matter of that test's.
 */
export function sharedHome(test: Test): () => HomeAssistant {
  let home: HomeAssistant | undefined;
  let earlier = 0;
  test.before(async () => {
    if (needs.every(isThere)) home = await startHomeAssistant();
  });
  test.before.each(() => {
    earlier = home?.complaints().length ?? 0;
  });
  test.after(() => home?.stop());
  return () => {
    const all = home;
    if (!all) throw new Error('there is no Home Assistant before the first test');
    return { ...all, complaints: () => all.complaints().slice(earlier) };
  };
}

/** What `default_config` would load besides wants packages that nobody here needs. */
const configuration = (port: number): string => `http:
  server_host: 127.0.0.1
  server_port: ${port}
homeassistant:
  name: Home
  time_zone: Europe/Berlin
  latitude: 52.5
  longitude: 13.4
  elevation: 40
  unit_system: metric
  currency: EUR
  country: DE
  language: en
frontend:
config:
automation: !include automations.yaml
recorder:
energy:
logger:
  default: warning
  logs:
    homeassistant.components.mqtt: info
`;

/** It sees its root as `/`, its folder as `/config`, and nothing else of this machine. */
async function run(root: string, config: string, url: string): Promise<Started> {
  const script = `mount -t proc proc "$0/proc"
mount --rbind /dev "$0/dev"
mount --bind "$1" "$0/config"
exec chroot "$0" /usr/bin/env -i HOME=/config PATH=/opt/ha/bin:/usr/bin:/bin LANG=C.UTF-8 \\
  /opt/ha/bin/hass --config /config --skip-pip`;
  const process = start('unshare', ['--mount', 'sh', '-euc', script, root, config]);
  let ended: number | string | undefined;
  void process.ended.then(how => {
    ended = how;
  });
  await until(
    () => `Home Assistant answers:\n${process.output()}`,
    async () => {
      if (ended !== undefined) throw new Error(`Home Assistant ended with ${ended}:\n${process.output()}`);
      return (await fetch(`${url}/manifest.json`).catch(() => undefined))?.ok;
    },
    startsWithinMs,
  );
  return process;
}

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly token_type: string;
  readonly expires_in: number;
}

/** What its first pages ask: a user, then the steps that are only acknowledged. */
async function onboard(url: string): Promise<Tokens> {
  const client = `${url}/`;
  const post = async <T>(
    path: string,
    body: string | URLSearchParams,
    headers: Record<string, string> = {},
  ): Promise<T> => {
    const answer = await fetch(`${url}${path}`, { method: 'POST', body, headers });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  };
  const json = { 'content-type': 'application/json' };
  const { auth_code } = await post<{ auth_code: string }>(
    '/api/onboarding/users',
    JSON.stringify({ ...user, client_id: client, language: 'en' }),
    json,
  );
  const grant = new URLSearchParams({ grant_type: 'authorization_code', code: auth_code, client_id: client });
  const tokens = await post<Tokens>('/auth/token', grant);
  const auth = { ...json, authorization: `Bearer ${tokens.access_token}` };
  await post('/api/onboarding/core_config', '{}', auth);
  await post('/api/onboarding/analytics', '{}', auth);
  await post(
    '/api/onboarding/integration',
    JSON.stringify({ client_id: client, redirect_uri: `${url}/?auth_callback=1` }),
    auth,
  );
  return tokens;
}

/** Loggers that tell of programs and packages that are not installed here, and of sites that it does not reach. */
const ofTheInstallation =
  /\[(homeassistant\.(setup|bootstrap|loader)|homeassistant\.components\.(marketplace|analytics|labs|recorder|camera|ffmpeg)[\w.]*|haffmpeg[\w.]*|aiohttp_fast_zlib)\]/;
const missing = /No module named|ModuleNotFoundError|UnknownHandler/;

/** Each with the lines that belong to it, such as a traceback. */
function complaintsIn(log: string): readonly string[] {
  const entries = log.split(/^(?=\d{4}-\d\d-\d\d [\d:.]+\S* [A-Z]+ \()/m);
  return entries
    .filter(entry => /^\S+ \S+ (WARNING|ERROR|CRITICAL) /.test(entry))
    .filter(entry => !ofTheInstallation.test(entry) && !missing.test(entry))
    .map(entry => entry.trimEnd().slice(0, 2000));
}
