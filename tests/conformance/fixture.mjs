// The server that the official conformance suite expects to find behind the gateway: tools, prompts and resources with
// the names and contents that the suite's documentation prescribes. One client over stdin and stdout, the initialize
// handshake (protocol 2025-11-25 and earlier), no packages.
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

const VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];
const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];

// One red pixel, and a WAV file without samples.
const PIXEL = {
  mimeType: 'image/png',
  data: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC',
};
const SILENCE = { mimeType: 'audio/wav', data: 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=' };

// ---- the wire --------------------------------------------------------------------------------------------------------

class Refusal extends Error {
  constructor(code, message, data) {
    super(message);
    Object.assign(this, { code, data });
  }
}

const write = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const notify = (method, params) => write({ method, params });

let asked = 0;
const open = new Map();

/** Asks the client, and waits for its answer. */
function ask(method, params) {
  const id = `fixture-${(asked += 1)}`;
  write({ id, method, params });
  return new Promise((resolve, reject) => open.set(id, { resolve, reject }));
}

function settle({ id, result, error }) {
  const waiting = open.get(id);
  if (!waiting) return;
  open.delete(id);
  if (error) waiting.reject(new Refusal(error.code, error.message));
  else waiting.resolve(result);
}

// ---- what is offered -------------------------------------------------------------------------------------------------

const textBlock = (text) => ({ type: 'text', text });
const said = (text) => ({ content: [textBlock(text)] });
const string = (description) => ({ type: 'string', ...(description && { description }) });
const object = (properties, required = Object.keys(properties)) => ({ type: 'object', properties, required });

let threshold = 'debug';
function log(level, data) {
  if (LEVELS.indexOf(level) >= LEVELS.indexOf(threshold)) notify('notifications/message', { level, logger: 'fixture', data });
}

async function elicit(message, requestedSchema, told) {
  const { action, content = {} } = await ask('elicitation/create', { message, requestedSchema });
  return said(`${told}: action=${action}, content=${JSON.stringify(content)}`);
}

const titles = (ordinals, word) => ordinals.map((ordinal, i) => ({ const: `value${i + 1}`, title: `${ordinal} ${word}` }));
const ORDINALS = ['First', 'Second', 'Third'];
const OPTIONS = ['option1', 'option2', 'option3'];

/** name: [description, input schema, what a call does] */
const tools = {
  test_simple_text: ['Text', object({}), () => said('This is a simple text response for testing.')],
  test_image_content: ['An image', object({}), () => ({ content: [{ type: 'image', ...PIXEL }] })],
  test_audio_content: ['A sound', object({}), () => ({ content: [{ type: 'audio', ...SILENCE }] })],
  test_embedded_resource: ['A resource within the result', object({}), () => ({
    content: [{
      type: 'resource',
      resource: { uri: 'test://embedded-resource', mimeType: 'text/plain', text: 'This is an embedded resource content.' },
    }],
  })],
  test_multiple_content_types: ['Three kinds of content', object({}), () => ({
    content: [
      textBlock('Multiple content types test:'),
      { type: 'image', ...PIXEL },
      {
        type: 'resource',
        resource: {
          uri: 'test://mixed-content-resource',
          mimeType: 'application/json',
          text: JSON.stringify({ test: 'data', value: 123 }),
        },
      },
    ],
  })],
  test_error_handling: ['Fails', object({}), () => ({
    isError: true,
    ...said('This tool intentionally returns an error for testing'),
  })],
  test_tool_with_logging: ['Logs while it works', object({}), async () => {
    for (const step of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      log('info', step);
      await pause(50);
    }
    return said('Tool with logging executed successfully');
  }],
  test_tool_with_progress: ['Tells how far it is', object({}), async (_, { progressToken }) => {
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined) {
        const message = `Completed step ${progress} of 100`;
        notify('notifications/progress', { progressToken, progress, total: 100, message });
      }
      await pause(50);
    }
    return said('Tool with progress executed successfully');
  }],
  test_reconnection: ['Answers late', object({}), async () => {
    await pause(300);
    return said('Reconnection test completed successfully');
  }],
  test_sampling: ['Asks the model of the client', object({ prompt: string('What to ask') }), async ({ prompt }) => {
    const messages = [{ role: 'user', content: textBlock(prompt) }];
    const { content } = await ask('sampling/createMessage', { messages, maxTokens: 100 });
    return said(`LLM response: ${[content].flat()[0]?.text ?? ''}`);
  }],
  test_elicitation: ['Asks the user', object({ message: string('What to ask') }), ({ message }) =>
    elicit(
      message,
      object({ username: string("User's response"), email: string("User's email address") }),
      'User response',
    )],
  test_elicitation_sep1034_defaults: ['Asks the user, with defaults', object({}), () =>
    elicit(
      'Please review and update the form fields with defaults',
      object(
        {
          name: { ...string('User name'), default: 'John Doe' },
          age: { type: 'integer', description: 'User age', default: 30 },
          score: { type: 'number', description: 'User score', default: 95.5 },
          status: { ...string('User status'), enum: ['active', 'inactive', 'pending'], default: 'active' },
          verified: { type: 'boolean', description: 'Verification status', default: true },
        },
        [],
      ),
      'Elicitation completed',
    )],
  test_elicitation_sep1330_enums: ['Asks the user to choose', object({}), () =>
    elicit(
      'Please select options from the enum fields',
      object(
        {
          untitledSingle: { type: 'string', enum: OPTIONS },
          titledSingle: { type: 'string', oneOf: titles(ORDINALS, 'Option') },
          legacyEnum: {
            type: 'string',
            enum: ['opt1', 'opt2', 'opt3'],
            enumNames: ['Option One', 'Option Two', 'Option Three'],
          },
          untitledMulti: { type: 'array', items: { type: 'string', enum: OPTIONS } },
          titledMulti: { type: 'array', items: { anyOf: titles(ORDINALS, 'Choice') } },
        },
        [],
      ),
      'Elicitation completed',
    )],
  json_schema_2020_12_tool: [
    'Has a schema with what JSON Schema 2020-12 brought',
    {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      $defs: { address: { $anchor: 'addressDef', type: 'object', properties: { street: string(), city: string() } } },
      properties: {
        name: string(),
        address: { $ref: '#/$defs/address' },
        contactMethod: { type: 'string', enum: ['phone', 'email'] },
        phone: string(),
        email: string(),
      },
      allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
      if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
      then: { required: ['phone'] },
      else: { required: ['email'] },
      additionalProperties: false,
    },
    (given) => said(`JSON Schema 2020-12 tool called with: ${JSON.stringify(given)}`),
  ],
};

const fromUser = (content) => ({ role: 'user', content });

/** name: [description, names of arguments, messages] */
const prompts = {
  test_simple_prompt: ['A prompt', [], () => [fromUser(textBlock('This is a simple prompt for testing.'))]],
  test_prompt_with_arguments: ['A prompt with arguments', ['arg1', 'arg2'], ({ arg1, arg2 }) => [
    fromUser(textBlock(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  ]],
  test_prompt_with_embedded_resource: ['A prompt with a resource', ['resourceUri'], ({ resourceUri }) => [
    fromUser({
      type: 'resource',
      resource: { uri: resourceUri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' },
    }),
    fromUser(textBlock('Please process the embedded resource above.')),
  ]],
  test_prompt_with_image: ['A prompt with an image', [], () => [
    fromUser({ type: 'image', ...PIXEL }),
    fromUser(textBlock('Please analyze the image above.')),
  ]],
};

/** uri: [name, MIME type, content] */
const resources = {
  'test://static-text': ['Text', 'text/plain', { text: 'This is the content of the static text resource.' }],
  'test://static-binary': ['Image', PIXEL.mimeType, { blob: PIXEL.data }],
  'test://watched-resource': ['Text that is watched', 'text/plain', { text: 'Watched resource content' }],
};

function read(uri) {
  const [, id] = /^test:\/\/template\/([^/]+)\/data$/.exec(uri) ?? [];
  if (id) {
    const text = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` });
    return { uri, mimeType: 'application/json', text };
  }
  if (!Object.hasOwn(resources, uri)) throw new Refusal(-32002, 'Resource not found', { uri });
  const [, mimeType, content] = resources[uri];
  return { uri, mimeType, ...content };
}

function named(table, name, what) {
  if (!Object.hasOwn(table, name)) throw new Refusal(-32602, `Unknown ${what}: ${name}`);
  return table[name];
}

// ---- methods ---------------------------------------------------------------------------------------------------------

const watched = new Set();

const methods = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion: VERSIONS.includes(protocolVersion) ? protocolVersion : VERSIONS[0],
    serverInfo: { name: 'conformance-fixture', version: '1.0.0' },
    capabilities: {
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
      completions: {},
      logging: {},
    },
  }),
  ping: () => ({}),
  'logging/setLevel': ({ level }) => {
    if (!LEVELS.includes(level)) throw new Refusal(-32602, `Unknown level: ${level}`);
    threshold = level;
    return {};
  },
  'tools/list': () => ({
    tools: Object.entries(tools).map(([name, [description, inputSchema]]) => ({ name, description, inputSchema })),
  }),
  'tools/call': ({ name, arguments: given = {}, _meta = {} }) => named(tools, name, 'tool')[2](given, _meta),
  'prompts/list': () => ({
    prompts: Object.entries(prompts).map(([name, [description, names]]) => ({
      name,
      description,
      arguments: names.map((argument) => ({ name: argument, description: `The ${argument}`, required: true })),
    })),
  }),
  'prompts/get': ({ name, arguments: given = {} }) => ({ messages: named(prompts, name, 'prompt')[2](given) }),
  'resources/list': () => ({
    resources: Object.entries(resources).map(([uri, [name, mimeType]]) => ({ uri, name, mimeType })),
  }),
  'resources/templates/list': () => ({
    resourceTemplates: [{ uriTemplate: 'test://template/{id}/data', name: 'Template', mimeType: 'application/json' }],
  }),
  'resources/read': ({ uri }) => ({ contents: [read(uri)] }),
  'resources/subscribe': ({ uri }) => {
    watched.add(uri);
    setTimeout(() => watched.has(uri) && notify('notifications/resources/updated', { uri }), 200).unref();
    return {};
  },
  'resources/unsubscribe': ({ uri }) => {
    watched.delete(uri);
    return {};
  },
  'completion/complete': ({ argument }) => {
    const values = ['paris', 'park', 'party'].filter((value) => value.startsWith(argument?.value ?? ''));
    return { completion: { values, total: values.length, hasMore: false } };
  },
};

async function answer({ id, method, params = {} }) {
  try {
    if (!Object.hasOwn(methods, method)) throw new Refusal(-32601, `Method not found: ${method}`);
    write({ id, result: await methods[method](params) });
  } catch (error) {
    write({ id, error: { code: error.code ?? -32603, message: error.message, data: error.data } });
  }
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const message = JSON.parse(line);
    if (message.method === undefined) settle(message);
    else if (message.id !== undefined) answer(message);
    // Of notifications none asks for anything.
  })
  .on('close', () => process.exit(0));
