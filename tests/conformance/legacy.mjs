// The era of sessions: protocol 2025-11-25 and earlier.
import { CAPABILITIES, INFO, LEVELS, methods as common } from './methods.mjs';
import { byRequests } from './questions.mjs';
import { notify, Refusal } from './wire.mjs';

const VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];

let capabilities;
let threshold = 'debug';
const watched = new Set();

const methods = {
  ...common,
  initialize: ({ protocolVersion, capabilities: declared = {} }) => {
    capabilities = declared;
    return {
      protocolVersion: VERSIONS.includes(protocolVersion) ? protocolVersion : VERSIONS[0],
      serverInfo: INFO,
      capabilities: CAPABILITIES,
    };
  },
  ping: () => ({}),
  'logging/setLevel': ({ level }) => {
    if (!LEVELS.includes(level)) throw new Refusal(-32602, `Unknown level: ${level}`);
    threshold = level;
    return {};
  },
  'resources/subscribe': ({ uri }) => {
    watched.add(uri);
    setTimeout(() => watched.has(uri) && notify('notifications/resources/updated', { uri }), 200).unref();
    return {};
  },
  'resources/unsubscribe': ({ uri }) => {
    watched.delete(uri);
    return {};
  },
};

export const isOpen = () => capabilities !== undefined;

/** Tells the client, if there is one of this era, of a change. */
export function changed(what) {
  if (isOpen()) notify(`notifications/${what}/list_changed`);
}

export async function answer({ method, params = {} }, everybody) {
  if (!isOpen() && !['initialize', 'ping'].includes(method)) throw new Refusal(-32600, 'initialize comes first');
  if (!Object.hasOwn(methods, method)) throw new Refusal(-32601, `Method not found: ${method}`);
  return methods[method](params, {
    progressToken: params._meta?.progressToken,
    noResource: -32002,
    notify,
    changed: everybody,
    ask: (questions, partly) => byRequests(capabilities, questions, partly),
    log: (level, data) => {
      const wanted = LEVELS.indexOf(level) >= LEVELS.indexOf(threshold);
      if (wanted) notify('notifications/message', { level, logger: 'fixture', data });
    },
  });
}
