import { defineConfig } from 'vitest/config';

// The same tests against both AI SDKs: what they import as `ai` is the one that AI_SDK names.
export default defineConfig({
  resolve: { alias: process.env.AI_SDK === '6' ? { ai: 'ai6' } : {} },
  test: {
    include: ['*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // One engine paints for all of them, and some count its steps.
    fileParallelism: false,
  },
});
