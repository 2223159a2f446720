// The tools. A call gets its arguments and its request: `progressToken`, `log`, `notify`, `ask` and `changed`.
import { setTimeout as pause } from 'node:timers/promises';
import { PIXEL, prompts, SILENCE } from './contents.mjs';
import { form, object, roots, sampling, string, textBlock } from './questions.mjs';

const said = (text) => ({ content: [textBlock(text)] });
const nothing = object({});
const nameForm = (message) => form(message, object({ name: string() }));
const confirmation = form('Please confirm', object({ ok: { type: 'boolean' } }));

async function elicit({ ask }, message, schema, told) {
  const { answer } = await ask({ answer: form(message, schema) });
  const { action, content = {} } = answer;
  return said(`${told}: action=${action}, content=${JSON.stringify(content)}`);
}

const titles = (ordinals, word) => ordinals.map((ordinal, i) => ({ const: `value${i + 1}`, title: `${ordinal} ${word}` }));
const ORDINALS = ['First', 'Second', 'Third'];
const OPTIONS = ['option1', 'option2', 'option3'];

async function steps(between, each) {
  for (const step of each) {
    step();
    await pause(between);
  }
}

/** Adds an entry to a table, or takes it away. */
function toggle(table, name, entry) {
  if (Object.hasOwn(table, name)) delete table[name];
  else table[name] = entry;
}

const plain = {
  test_simple_text: ['Text', nothing, () => said('This is a simple text response for testing.')],
  test_image_content: ['An image', nothing, () => ({ content: [{ type: 'image', ...PIXEL }] })],
  test_audio_content: ['A sound', nothing, () => ({ content: [{ type: 'audio', ...SILENCE }] })],
  test_embedded_resource: ['A resource within the result', nothing, () => ({
    content: [{
      type: 'resource',
      resource: { uri: 'test://embedded-resource', mimeType: 'text/plain', text: 'This is an embedded resource content.' },
    }],
  })],
  test_multiple_content_types: ['Three kinds of content', nothing, () => ({
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
  test_error_handling: ['Fails', nothing, () => ({
    isError: true,
    ...said('This tool intentionally returns an error for testing'),
  })],
  test_reconnection: ['Answers late', nothing, async () => {
    await pause(300);
    return said('Reconnection test completed successfully');
  }],
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

const telling = {
  test_tool_with_logging: ['Logs while it works', nothing, async (_, { log }) => {
    const words = ['Tool execution started', 'Tool processing data', 'Tool execution completed'];
    await steps(50, words.map((word) => () => log('info', word)));
    return said('Tool with logging executed successfully');
  }],
  test_logging_tool: ['Logs for whoever asks for it', nothing, (_, { log }) => {
    log('info', 'A line of the log');
    return said('Logged');
  }],
  test_tool_with_progress: ['Tells how far it is', nothing, async (_, { progressToken, notify }) => {
    const tell = (progress) => () => {
      if (progressToken === undefined) return;
      const message = `Completed step ${progress} of 100`;
      notify('notifications/progress', { progressToken, progress, total: 100, message });
    };
    await steps(50, [0, 50, 100].map(tell));
    return said('Tool with progress executed successfully');
  }],
  test_trigger_tool_change: ['Changes the tools', nothing, (_, { changed }) => {
    toggle(tools, 'test_tool_of_the_moment', ['Comes and goes', nothing, () => said('Here')]);
    changed('tools');
    return said('Changed');
  }],
  test_trigger_prompt_change: ['Changes the prompts', nothing, (_, { changed }) => {
    toggle(prompts, 'test_prompt_of_the_moment', ['Comes and goes', [], () => []]);
    changed('prompts');
    return said('Changed');
  }],
};

const asking = {
  test_sampling: ['Asks the model of the client', object({ prompt: string('What to ask') }), async ({ prompt }, { ask }) => {
    const { answer } = await ask({ answer: sampling(prompt, 100) });
    return said(`LLM response: ${[answer.content].flat()[0]?.text ?? ''}`);
  }],
  test_elicitation: ['Asks the user', object({ message: string('What to ask') }), ({ message }, request) =>
    elicit(
      request,
      message,
      object({ username: string("User's response"), email: string("User's email address") }),
      'User response',
    )],
  test_elicitation_sep1034_defaults: ['Asks the user, with defaults', nothing, (_, request) =>
    elicit(
      request,
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
  test_elicitation_sep1330_enums: ['Asks the user to choose', nothing, (_, request) =>
    elicit(
      request,
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
  test_streaming_elicitation: ['Asks whether to go on', nothing, (_, request) =>
    elicit(request, 'Go on?', object({ ok: { type: 'boolean' } }), 'Went on')],
  test_missing_capability: ['Needs a client with a model', nothing, async (_, { ask }) => {
    await ask({ answer: sampling('Are you there?', 10) });
    return said('The model is there');
  }],
};

const inRounds = {
  elicitation: async ({ ask }) => {
    const answers = await ask({ user_name: nameForm('What is your name?') });
    return `Hello, ${answers.user_name.content?.name}!`;
  },
  sampling: async ({ ask }) => {
    const answers = await ask({ capital_question: sampling('What is the capital of France?', 100) });
    return `The model says: ${[answers.capital_question.content].flat()[0]?.text}`;
  },
  list_roots: async ({ ask }) => {
    const answers = await ask({ client_roots: roots });
    return `The roots: ${answers.client_roots.roots.map(({ uri }) => uri).join(' ')}`;
  },
  request_state: async ({ ask }) => {
    await ask({ confirm: confirmation });
    return 'state-ok';
  },
  tampered_state: async ({ ask }) => {
    await ask({ confirm: confirmation });
    return 'Nobody has touched the state';
  },
  multiple_inputs: async ({ ask }) => {
    const answers = await ask({
      user_name: nameForm('What is your name?'),
      greeting: sampling('Generate a greeting', 50),
      client_roots: roots,
    });
    return `Answered: ${Object.keys(answers).join(' ')}`;
  },
  multi_round: async ({ ask }) => {
    const { step1 } = await ask({ step1: nameForm('Step 1: What is your name?') });
    const color = form('Step 2: What is your favorite color?', object({ color: string() }));
    const { step2 } = await ask({ step2: color });
    return `${step1.content?.name} likes ${step2.content?.color}`;
  },
  capabilities: async ({ ask }) => {
    const partly = true;
    const questions = { user_name: nameForm('What is your name?'), greeting: sampling('Generate a greeting', 50) };
    return `Answered: ${Object.keys(await ask(questions, partly)).join(' ')}`;
  },
};

const rounds = Object.entries(inRounds).map(([name, run]) => [
  `test_input_required_result_${name}`,
  ['Asks, and goes on with the answers', nothing, async (_, request) => said(await run(request))],
]);

/** name: [description, input schema, what a call does] */
export const tools = { ...plain, ...telling, ...asking, ...Object.fromEntries(rounds) };
