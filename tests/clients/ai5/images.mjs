import * as ai from 'ai'
import { createGateway } from '@ai-sdk/gateway'
import { run } from '../ai-images.mjs'

await run({ ai, createGateway }, process.argv[2])
