// One call of OpenAI's Node client, told by its arguments; what came of it is printed as one line of JSON.
// node openai-images.mjs BASE_URL KEY METHOD '{"prompt": "..."}'
// File fields are names of files; `_headers` and `_timeout` (milliseconds) go beside the body, `_clientTimeout` to the client.
import fs from 'node:fs'
import OpenAI, { toFile } from 'openai'

const [baseURL, apiKey, method, text] = process.argv.slice(2)
const { _clientTimeout: clientTimeout, ...body } = JSON.parse(text)
const client = new OpenAI({ baseURL, apiKey, ...(clientTimeout === undefined ? {} : { timeout: clientTimeout }) })

async function withFiles(body) {
  const file = async (path) => toFile(fs.createReadStream(path), path.split('/').pop(), { type: 'image/png' })
  for (const name of ['image', 'mask']) {
    const paths = body[name]
    if (Array.isArray(paths)) body[name] = await Promise.all(paths.map(file))
    else if (paths !== undefined) body[name] = await file(paths)
  }
  return body
}

const calls = {
  // The client refuses a timeout that is there and undefined.
  generate: ({ _headers: headers, _timeout: timeout, ...body }) =>
    client.images.generate(body, { headers, ...(timeout === undefined ? {} : { timeout }) }),
  edit: async (body) => client.images.edit(await withFiles(body)),
  variation: async (body) => client.images.createVariation(await withFiles(body)),
  models: async () => ({ data: (await client.models.list()).data }),
  stream: async (body) => {
    const events = []
    for await (const event of await client.images.generate({ ...body, stream: true })) events.push(event)
    return { events }
  },
  streamEdit: async (body) => {
    const events = []
    for await (const event of await client.images.edit({ ...(await withFiles(body)), stream: true })) events.push(event)
    return { events }
  },
}

try {
  console.log(JSON.stringify({ result: await calls[method](body) }))
} catch (error) {
  const { status, code, type, param, message, requestID } = error
  console.log(JSON.stringify({ error: { class: error.constructor.name, status, code, type, param, message, requestID } }))
}
