import * as ai from 'ai'
import { createGateway } from '@ai-sdk/gateway'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { run } from '../ai-images.mjs'

await run({ ai, createGateway, createOpenAI, createOpenAICompatible }, process.argv[2])
