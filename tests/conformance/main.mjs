// The server that the official conformance suite expects to find behind the gateway: tools, prompts and resources with
// the names and contents that the suite's documentation prescribes. Over stdin and stdout, no packages.
//
// usage: node main.mjs [--era legacy|modern|both]
//   legacy  the initialize handshake alone (protocol 2025-11-25 and earlier), one client
//   modern  stateless requests alone (protocol 2026-07-28)
//   both    each message in the era that it belongs to
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import * as legacy from './legacy.mjs';
import * as modern from './modern.mjs';
import { Refusal, settle, write } from './wire.mjs';

const { era } = parseArgs({ options: { era: { type: 'string', default: 'both' } } }).values;
if (!['legacy', 'modern', 'both'].includes(era)) throw new Error(`unknown era: ${era}`);

function eraOf(message) {
  if (era !== 'both') return era === 'modern' ? modern : legacy;
  if (message.method === 'initialize' && modern.version(message) === undefined) return legacy;
  return modern.version(message) !== undefined || !legacy.isOpen() ? modern : legacy;
}

function changed(what) {
  legacy.changed(what);
  modern.changed(what);
}

/** Ids of requests that still want an answer. */
const open = new Set();

async function answer(message) {
  const { id } = message;
  open.add(id);
  let response;
  try {
    response = { result: await eraOf(message).answer(message, changed) };
  } catch (error) {
    if (!(error instanceof Refusal)) console.error(error);
    response = { error: { code: error.code ?? -32603, message: error.message, data: error.data } };
  }
  if (open.delete(id)) write({ id, ...response });
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const message = JSON.parse(line);
    if (message.method === undefined) settle(message);
    else if (message.id !== undefined) answer(message);
    else if (message.method === 'notifications/cancelled') {
      open.delete(message.params.requestId);
      modern.cancel(message.params.requestId);
    }
    // No other notification asks for anything.
  })
  .on('close', () => process.exit(0));
