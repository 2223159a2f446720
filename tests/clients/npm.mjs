// Calls tools with an SDK of npm: `client` (2.x, both eras) or `sdk` (1.x, the legacy era alone).
//
// usage: node npm.mjs FOLDER client|sdk legacy|auto PLAN
//
// FOLDER has the packages. PLAN, JSON: [{way: [URL] or [COMMAND, ARG...], calls: [{tool, arguments}]}]; printed is, as JSON,
// [{version, tools: [NAME], results: [{text, progress}]}]. A model answers what it is asked, a user accepts with "it".
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [folder, kind, mode, plan] = process.argv.slice(2);
const require = createRequire(join(folder, 'from-here.js'));
const packageName = `@modelcontextprotocol/${kind}`;
const INFO = { name: 'interop', version: '1' };
const capabilities = { sampling: {}, elicitation: {}, roots: {} };

const sample = ({ params }) => ({
  role: 'assistant',
  model: 'm',
  content: { type: 'text', text: `heard: ${params.messages[0].content.text}` },
});
const elicit = ({ params }) => {
  const texts = Object.entries(params.requestedSchema.properties).filter(([, { type }]) => type === 'string');
  const required = texts.filter(([name, { enum: choices, format }]) =>
    params.requestedSchema.required?.includes(name) && !choices && !format);
  return { action: 'accept', content: Object.fromEntries(required.map(([name]) => [name, 'it'])) };
};
const roots = () => ({ roots: [{ uri: 'file:///interop', name: 'interop' }] });

const makers = {
  client: () => {
    const { Client, StreamableHTTPClientTransport } = require(packageName);
    const { StdioClientTransport } = require(`${packageName}/stdio`);
    const client = new Client(INFO, { capabilities, versionNegotiation: { mode } });
    client.setRequestHandler('sampling/createMessage', sample);
    client.setRequestHandler('elicitation/create', elicit);
    client.setRequestHandler('roots/list', roots);
    const version = () => client.getNegotiatedProtocolVersion();
    return { client, version, StreamableHTTPClientTransport, StdioClientTransport };
  },
  sdk: () => {
    const { Client } = require(`${packageName}/client/index.js`);
    const { StreamableHTTPClientTransport } = require(`${packageName}/client/streamableHttp.js`);
    const { StdioClientTransport } = require(`${packageName}/client/stdio.js`);
    const types = require(`${packageName}/types.js`);
    const client = new Client(INFO, { capabilities });
    client.setRequestHandler(types.CreateMessageRequestSchema, sample);
    client.setRequestHandler(types.ElicitRequestSchema, elicit);
    client.setRequestHandler(types.ListRootsRequestSchema, roots);
    let version;
    // Over HTTP the transport is told; over stdio nobody keeps it.
    const told = (transport) => (transport.setProtocolVersion = wrap(transport.setProtocolVersion?.bind(transport)));
    const wrap = (inner) => (spoken) => {
      version = spoken;
      inner?.(spoken);
    };
    return { client, version: () => version, told, StreamableHTTPClientTransport, StdioClientTransport };
  },
};

async function visit({ way, calls }) {
  const { client, version, told, StreamableHTTPClientTransport, StdioClientTransport } = makers[kind]();
  const [command, ...args] = way;
  const transport = command.startsWith('http://')
    ? new StreamableHTTPClientTransport(new URL(command))
    : new StdioClientTransport({ command, args, env: process.env, stderr: 'inherit' });
  told?.(transport);
  await client.connect(transport);
  const { tools } = await client.listTools();
  const results = [];
  for (const call of calls) {
    let progress = 0;
    const options = { onprogress: () => (progress += 1) };
    const params = { name: call.tool, arguments: call.arguments };
    const result = kind === 'sdk' ? client.callTool(params, undefined, options) : client.callTool(params, options);
    const { content } = await result;
    const text = content.map((block) => block.text ?? '').join('');
    results.push({ text, progress });
  }
  const visited = { version: version(), tools: tools.map(({ name }) => name), results };
  await client.close();
  return visited;
}

const visited = [];
for (const server of JSON.parse(plan)) visited.push(await visit(server));
console.log(JSON.stringify(visited));
process.exit(0);
