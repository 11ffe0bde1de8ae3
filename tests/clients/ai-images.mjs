// One call of the AI SDK, told by its arguments; what came of it is printed as one line of JSON.
// node aiN/images.mjs '{"via": "gateway", "baseURL": "...", "model": "...", "options": {"prompt": "..."}}'
// `via` is a provider, or what is made of the one that `over` names.
// Pictures in the prompt are URLs, or {"path": NAME} for the bytes of a file. Any line on stdin aborts the call.
import fs from 'node:fs'

globalThis.AI_SDK_LOG_WARNINGS = false

const taken = (picture) => (picture?.path === undefined ? picture : fs.readFileSync(picture.path))

function promptOf(prompt) {
  if (typeof prompt !== 'object' || prompt === null) return prompt
  const { images, mask, ...rest } = prompt
  return { ...rest, ...(images && { images: images.map(taken) }), ...(mask && { mask: taken(mask) }) }
}

export async function run(sdk, text) {
  const { via, over = 'gateway', baseURL, key = 'unused', model: id, ...asked } = JSON.parse(text)
  const { options = {}, call = 'generate' } = asked
  const { ai, createGateway, createOpenAI, createOpenAICompatible } = sdk
  const generateImage = ai.generateImage ?? ai.experimental_generateImage
  const providers = {
    gateway: () => createGateway({ baseURL, apiKey: key }),
    openai: () => createOpenAI({ baseURL, apiKey: key }),
    compatible: () => createOpenAICompatible({ name: 'calotype', baseURL, apiKey: key }),
    runcrate: () => createOpenAICompatible({ name: 'runcrate', baseURL, apiKey: key }),
  }
  const provider = providers[via in providers ? via : over]()
  const models = {
    string: () => {
      globalThis.AI_SDK_DEFAULT_PROVIDER = provider
      return id
    },
    registry: () => ai.createProviderRegistry({ here: provider }).imageModel(`here:${id}`),
    custom: () => ai.customProvider({ imageModels: { fox: provider.imageModel(id) } }).imageModel('fox'),
    wrapped: () =>
      ai.wrapImageModel({
        model: provider.imageModel(id),
        middleware: {
          specificationVersion: provider.imageModel(id).specificationVersion,
          transformParams: async ({ params }) => ({ ...params, seed: 41 }),
        },
      }),
  }
  const modelOf = models[via] ?? (() => provider.imageModel(id))
  const aborting = new AbortController()
  process.stdin.once('data', () => aborting.abort())
  let outcome
  try {
    const result =
      call === 'models'
        ? await provider.getAvailableModels()
        : shown(
            await generateImage({
              ...options,
              model: modelOf(),
              prompt: promptOf(options.prompt),
              abortSignal: aborting.signal,
            }),
          )
    outcome = { result }
  } catch (error) {
    outcome = { error: told(error) }
  }
  // Whatever still listens is not waited for, once all of the line is out.
  process.stdout.write(JSON.stringify(outcome) + '\n', () => process.exit())
}

function shown({ images, warnings, usage, providerMetadata, responses, calls }) {
  return {
    images: images.map(({ base64, mediaType, providerMetadata }) => ({ base64, mediaType, providerMetadata })),
    warnings,
    usage,
    providerMetadata,
    headers: (calls ?? responses).map((call) => (call.response ?? call).headers),
  }
}

function told(error) {
  const { name, message, type, statusCode, isRetryable, modelId, reason, errors, cause, responseBody } = error
  return {
    name,
    message,
    type,
    statusCode,
    isRetryable,
    modelId,
    reason,
    responseBody: responseBody ?? cause?.responseBody,
    errors: errors?.map(told),
  }
}
