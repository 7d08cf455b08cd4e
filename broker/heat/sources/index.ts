/** Front door of the sources of readings. */
export { type BrokerName, type Heard, mostTopics, Sources, type Wanted } from './listening.ts';
export { recognise } from './recognise.ts';
export { askByHttp } from './wemo-http.ts';
export { type Ask, WemoPolls } from './wemo-polls.ts';
