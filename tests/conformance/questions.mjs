// What a server asks its client, alike in both eras: by a request of its own in the legacy one, by a result that asks to
// come again with the answers in the modern one.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { ask, Refusal } from './wire.mjs';

export const textBlock = (text) => ({ type: 'text', text });
export const string = (description) => ({ type: 'string', ...(description && { description }) });
export const object = (properties, required = Object.keys(properties)) => ({ type: 'object', properties, required });

export const form = (message, requestedSchema) => ({
  method: 'elicitation/create',
  params: { message, requestedSchema },
});
export const sampling = (prompt, maxTokens) => ({
  method: 'sampling/createMessage',
  params: { messages: [{ role: 'user', content: textBlock(prompt) }], maxTokens },
});
export const roots = { method: 'roots/list', params: {} };

/** method: [the capability of a client that can answer, whether something is an answer] */
const KINDS = {
  'elicitation/create': ['elicitation', ({ action }) => typeof action === 'string'],
  'sampling/createMessage': ['sampling', ({ content }) => typeof content === 'object'],
  'roots/list': ['roots', (answer) => Array.isArray(answer.roots)],
};

const can = (capabilities, { method }) => capabilities[KINDS[method][0]] !== undefined;
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** What the client must be able to do before it is asked. */
function demand(capabilities, questions) {
  const missing = Object.values(questions).filter((question) => !can(capabilities, question));
  if (missing.length === 0) return;
  const requiredCapabilities = Object.fromEntries(missing.map(({ method }) => [KINDS[method][0], {}]));
  throw new Refusal(-32021, 'The client lacks a capability that this needs', { requiredCapabilities });
}

/** Drops what the client cannot answer. */
const possible = (capabilities, questions) =>
  Object.fromEntries(Object.entries(questions).filter(([, question]) => can(capabilities, question)));

/** Asks by requests, all at once. `partly`: an answer to each question is not needed. */
export async function byRequests(capabilities, questions, partly = false) {
  if (!partly) demand(capabilities, questions);
  const asked = Object.entries(partly ? possible(capabilities, questions) : questions);
  const answers = asked.map(async ([key, question]) => [key, await ask(question)]);
  if (!partly) return Object.fromEntries(await Promise.all(answers));
  const settled = await Promise.allSettled(answers);
  return Object.fromEntries(settled.filter(({ status }) => status === 'fulfilled').map(({ value }) => value));
}

/** Thrown where a call cannot go on without answers; `result` is its result until it comes again with them. */
export class Unanswered extends Error {
  constructor(result) {
    super('answers are needed');
    this.result = result;
  }
}

/** The same by results. What has been answered in earlier rounds is in the state that the client brings back. */
export function byResults(name, { inputResponses = {}, requestState }, capabilities) {
  const answers = requestState === undefined ? {} : unseal(requestState, name);
  if (!isObject(inputResponses)) throw new Refusal(-32602, 'inputResponses must be an object');
  return (questions, partly = false) => {
    if (!partly) demand(capabilities, questions);
    const asked = partly ? possible(capabilities, questions) : questions;
    for (const [key, { method }] of Object.entries(asked)) {
      const answer = inputResponses[key];
      if (isObject(answer) && KINDS[method][1](answer)) answers[key] = answer;
    }
    const open = Object.entries(asked).filter(([key]) => !Object.hasOwn(answers, key));
    if (open.length === 0) return answers;
    throw new Unanswered({
      resultType: 'input_required',
      inputRequests: Object.fromEntries(open),
      requestState: seal({ name, answers }),
    });
  };
}

// A client holds the state between two rounds: it is not to be believed without this.
const key = randomBytes(32);
const digest = (text) => createHmac('sha256', key).update(text).digest();

function seal(state) {
  const text = Buffer.from(JSON.stringify(state)).toString('base64url');
  return `${text}.${digest(text).toString('base64url')}`;
}

function unseal(sealed, name) {
  const [text, claimed] = String(sealed).split('.');
  // Node takes the letters before a wrong one for the whole: so the claim is compared as it is written.
  const expected = digest(text).toString('base64url');
  const same = claimed?.length === expected.length && timingSafeEqual(Buffer.from(claimed), Buffer.from(expected));
  const state = same && JSON.parse(Buffer.from(text, 'base64url'));
  if (!state || state.name !== name) throw new Refusal(-32602, 'The request state is not what this server gave out');
  return state.answers;
}
