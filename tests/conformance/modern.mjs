// The stateless era: protocol 2026-07-28.
import { CAPABILITIES, INFO, LEVELS, methods as common } from './methods.mjs';
import { byResults, Unanswered } from './questions.mjs';
import { notify, Refusal } from './wire.mjs';

const VERSIONS = ['2026-07-28'];
const META = 'io.modelcontextprotocol/';
const FILTERS = ['toolsListChanged', 'promptsListChanged', 'resourcesListChanged', 'resourceSubscriptions'];

/** id of the request: [what the listener wants to know, what ends it] */
const listeners = new Map();

const tell = (id, method, params) => notify(method, { ...params, _meta: { [`${META}subscriptionId`]: id } });

const methods = {
  ...common,
  'server/discover': () => ({ supportedVersions: VERSIONS, capabilities: CAPABILITIES }),
  'subscriptions/listen': ({ notifications = {} }, { id }) => {
    const wanted = Object.fromEntries(Object.entries(notifications).filter(([key]) => FILTERS.includes(key)));
    tell(id, 'notifications/subscriptions/acknowledged', { notifications: wanted });
    for (const uri of wanted.resourceSubscriptions ?? []) {
      setTimeout(() => listeners.has(id) && tell(id, 'notifications/resources/updated', { uri }), 200).unref();
    }
    return new Promise((end) => listeners.set(id, [wanted, end]));
  },
};

/** Methods whose results may be kept for a while. */
const CACHEABLE = [
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
];

/** Tells those who listen for it of a change. */
export function changed(what) {
  for (const [id, [wanted]] of listeners) {
    if (wanted[`${what}ListChanged`]) tell(id, `notifications/${what}/list_changed`);
  }
}

/** Nobody waits for this request any more. */
export function cancel(id) {
  listeners.get(id)?.[1]({});
  listeners.delete(id);
}

export const version = ({ params }) => params?._meta?.[`${META}protocolVersion`];

const unsupported = (requested) =>
  new Refusal(-32022, 'Unsupported protocol version', { supported: VERSIONS, requested });

export async function answer({ id, method, params = {} }, everybody) {
  const meta = params._meta ?? {};
  const capabilities = meta[`${META}clientCapabilities`];
  // Who opens with a handshake is told the versions too.
  if (method === 'initialize' && capabilities === undefined) throw unsupported(params.protocolVersion);
  const requested = meta[`${META}protocolVersion`];
  if (requested === undefined || typeof capabilities !== 'object') {
    throw new Refusal(-32602, '_meta must have the protocol version and the capabilities of the client');
  }
  if (!VERSIONS.includes(requested)) throw unsupported(requested);
  if (!Object.hasOwn(methods, method)) throw new Refusal(-32601, `Method not found: ${method}`);
  const { progressToken, [`${META}logLevel`]: threshold } = meta;
  const result = await finish(methods[method], params, {
    id,
    progressToken,
    noResource: -32602,
    notify,
    changed: everybody,
    ask: byResults(params.name, params, capabilities),
    log: (level, data) => {
      const wanted = threshold !== undefined && LEVELS.indexOf(level) >= LEVELS.indexOf(threshold);
      if (wanted) notify('notifications/message', { level, logger: 'fixture', data });
    },
  });
  const hints = CACHEABLE.includes(method) && { ttlMs: 1000, cacheScope: 'public' };
  return { resultType: 'complete', ...hints, ...result, _meta: { [`${META}serverInfo`]: INFO } };
}

async function finish(run, params, request) {
  try {
    return await run(params, request);
  } catch (error) {
    if (error instanceof Unanswered) return error.result;
    throw error;
  }
}
