// What both eras have in common. A method gets the parameters and the request.
import { prompts, read, resources } from './contents.mjs';
import { tools } from './tools.mjs';
import { Refusal } from './wire.mjs';

export const INFO = { name: 'conformance-fixture', version: '1.0.0' };
export const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];
export const CAPABILITIES = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
  completions: {},
  logging: {},
};

function named(table, name, what) {
  if (!Object.hasOwn(table, name)) throw new Refusal(-32602, `Unknown ${what}: ${name}`);
  return table[name];
}

const promptArguments = (names) =>
  names.map((argument) => ({ name: argument, description: `The ${argument}`, required: true }));

export const methods = {
  'tools/list': () => ({
    tools: Object.entries(tools).map(([name, [description, inputSchema]]) => ({ name, description, inputSchema })),
  }),
  'tools/call': ({ name, arguments: given = {} }, request) => named(tools, name, 'tool')[2](given, request),
  'prompts/list': () => ({
    prompts: Object.entries(prompts).map(([name, [description, names]]) => ({
      name,
      description,
      arguments: promptArguments(names),
    })),
  }),
  'prompts/get': async ({ name, arguments: given = {} }, request) => ({
    messages: await named(prompts, name, 'prompt')[2](given, request),
  }),
  'resources/list': () => ({
    resources: Object.entries(resources).map(([uri, [name, mimeType]]) => ({ uri, name, mimeType })),
  }),
  'resources/templates/list': () => ({
    resourceTemplates: [{ uriTemplate: 'test://template/{id}/data', name: 'Template', mimeType: 'application/json' }],
  }),
  'resources/read': ({ uri }, { noResource }) => ({ contents: [read(uri, noResource)] }),
  'completion/complete': ({ argument }) => {
    const values = ['paris', 'park', 'party'].filter((value) => value.startsWith(argument?.value ?? ''));
    return { completion: { values, total: values.length, hasMore: false } };
  },
};
