// Prompts and resources.
import { form, object, string, textBlock } from './questions.mjs';
import { Refusal } from './wire.mjs';

// One red pixel, and a WAV file without samples.
export const PIXEL = {
  mimeType: 'image/png',
  data: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC',
};
export const SILENCE = {
  mimeType: 'audio/wav',
  data: 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=',
};

const fromUser = (content) => ({ role: 'user', content });

/** name: [description, names of arguments, messages] */
export const prompts = {
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
  test_input_required_result_prompt: ['A prompt that asks first', [], async (_, { ask }) => {
    const question = form('What context should the prompt use?', object({ context: string() }));
    const { user_context: answer } = await ask({ user_context: question });
    return [fromUser(textBlock(`With this context: ${answer.content?.context}`))];
  }],
};

/** uri: [name, MIME type, content] */
export const resources = {
  'test://static-text': ['Text', 'text/plain', { text: 'This is the content of the static text resource.' }],
  'test://static-binary': ['Image', PIXEL.mimeType, { blob: PIXEL.data }],
  'test://watched-resource': ['Text that is watched', 'text/plain', { text: 'Watched resource content' }],
};

/** `missing`: the code of the error for a resource that is not there. */
export function read(uri, missing) {
  const [, id] = /^test:\/\/template\/([^/]+)\/data$/.exec(uri) ?? [];
  if (id) {
    const text = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` });
    return { uri, mimeType: 'application/json', text };
  }
  if (!Object.hasOwn(resources, uri)) throw new Refusal(missing, 'Resource not found', { uri });
  const [, mimeType, content] = resources[uri];
  return { uri, mimeType, ...content };
}
