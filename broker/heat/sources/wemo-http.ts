/** The question to a Wemo over HTTP: five seconds, 16 kB, no redirect, and only to an address of the house. */
import { lookup } from 'node:dns';
import { request } from 'node:http';
import type { LookupFunction } from 'node:net';
import { isOfTheHouse } from '../../../shared/readings/wemo-place.ts';
import { mostAnswer, wemoAction, wemoPath, wemoQuestion } from './wemo.ts';
import type { Ask } from './wemo-polls.ts';

const patienceMs = 5000;

/** A name is looked up for every question, and what it stands for is checked then: it may mean another machine by now. */
export const lookupInHouse: LookupFunction = (name, options, done) => {
  lookup(name, { ...options, all: true }, (error, addresses) => {
    if (error) return done(error, '', 4);
    const inside = addresses.filter(({ address }) => isOfTheHouse(address));
    const [first] = inside;
    if (!first) return done(new Error(`${name} is not in a private network`), '', 4);
    if (options.all) done(null, inside);
    else done(null, first.address, first.family);
  });
};

const sentences: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody answers on its port',
  EHOSTUNREACH: 'it cannot be reached: is it plugged in, and in this network?',
  ENOTFOUND: 'its name is unknown',
  ECONNRESET: 'it cut the connection',
};

/** `done` exactly once. The address was checked by `wemoPlace` where it is a literal one. */
export const askByHttp: Ask = ({ host, port }, done) => {
  let told = false;
  const tell = (error: string | undefined, answer = '') => {
    if (told) return;
    told = true;
    clearTimeout(late);
    asked.destroy();
    done(error, answer);
  };
  const asked = request({
    ...{ host, port, path: wemoPath, method: 'POST', lookup: lookupInHouse, agent: false },
    headers: {
      'content-type': 'text/xml; charset="utf-8"',
      'content-length': Buffer.byteLength(wemoQuestion),
      soapaction: wemoAction,
      connection: 'close',
    },
  });
  const late = setTimeout(() => tell(`no answer within ${patienceMs / 1000} s`), patienceMs);
  late.unref();
  asked.on('error', (error: NodeJS.ErrnoException) => tell(sentences[error.code ?? ''] ?? error.message.slice(0, 120)));
  asked.on('response', response => {
    if (response.statusCode !== 200) return tell(`it answers with status ${response.statusCode}`);
    const parts: Buffer[] = [];
    let bytes = 0;
    response.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes > mostAnswer) tell(`its answer is longer than ${mostAnswer / 1024} kB`);
      else parts.push(part);
    });
    response.on('end', () => tell(undefined, Buffer.concat(parts).toString('latin1')));
    response.on('error', error => tell(error.message.slice(0, 120)));
    response.on('close', () => tell('it cut the connection'));
  });
  asked.end(wemoQuestion);
};
