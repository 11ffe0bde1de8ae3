import { expect, test } from 'vitest';
import { createCalotype } from './calotype-provider.js';
import { fakeServer, json } from './fake-server.js';

test('a card tells everything, with what the server leaves out', async () => {
  const card = {
    model_id: 'calotype/tintype',
    description: 'small pictures',
    default_size: { width: 128, height: 128 },
    sizes: [{ width: 144, height: 112 }],
    num_inference_steps: { min: 1, max: 50, default: 20 },
    guidance_scale: { min: 1, max: 10, default: 3 },
    qualities: { low: { num_inference_steps: 10 } },
    images_max: 1,
  };
  const { fetch } = fakeServer(json({ data: [{ id: 'calotype/tintype', owned_by: 'calotype', calotype: card }] }));
  expect(await createCalotype({ fetch }).models()).toEqual([
    {
      id: 'calotype/tintype',
      ownedBy: 'calotype',
      card: {
        description: 'small pictures',
        defaultSize: '128x128',
        sizes: ['144x112'],
        sizeRange: undefined,
        aspectRatioMax: 3,
        numInferenceSteps: { min: 1, max: 50, default: 20 },
        guidance: { min: 1, max: 10, default: 3 },
        negativePrompt: false,
        seed: true,
        qualities: { low: { numInferenceSteps: 10, pixels: undefined } },
        strength: undefined,
        imagesMax: 1,
        mask: false,
        controlImage: false,
        requires: [],
        outputFormats: ['png', 'jpeg', 'webp'],
        maxImagesPerCall: 10,
        maxSequenceLength: undefined,
      },
    },
  ]);
});

test('a range of sizes is told too', async () => {
  const card = {
    default_size: { width: 1024, height: 1024 },
    size_range: { multiple_of: 16, side_min: 256, side_max: 2048, pixels_max: 4_194_304 },
  };
  const { fetch } = fakeServer(json({ data: [{ id: 'flux', owned_by: 'calotype', calotype: card }] }));
  const [model] = await createCalotype({ fetch }).models();
  expect(model?.card.sizeRange).toEqual({ multipleOf: 16, sideMin: 256, sideMax: 2048, pixelsMax: 4_194_304 });
});
