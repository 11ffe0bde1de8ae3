/** What the form holds, what is wrong with it, and the request that it makes. Pure. */
import type { Controls } from './controls';
import { limits, SEED_MAX } from './limits';
import { AUTOMATIC, type Shape } from './shapes';

export interface Wishes {
  model: string;
  prompt: string;
  /** The label of a shape. */
  shape: string;
  /** As it is typed; empty: a new one each time. */
  seed: string;
  count: number;
  negativePrompt: string;
  /** `undefined`: the model's own. */
  steps?: number;
  guidance?: number;
  strength?: number;
}

export const NO_WISHES: Wishes = { model: '', prompt: '', shape: AUTOMATIC, seed: '', count: 1, negativePrompt: '' };

/** As `POST /api/generate-image` takes it. */
export interface ImageRequest {
  model: string;
  prompt: string;
  n: number;
  previews: number;
  size?: string;
  aspectRatio?: string;
  seed?: number;
  negativePrompt?: string;
  numInferenceSteps?: number;
  guidance?: number;
  strength?: number;
  image?: string[];
  mask?: string;
}

/** Data URIs. */
export interface GivenPictures {
  images: string[];
  mask?: string;
}

/** `parameter` is a name of the request. */
export interface Problem {
  parameter: string;
  message: string;
}

const PREVIEWS = 3;

/** The first thing that would be refused, in words; `undefined` where there is none. */
export function problemWith(
  wishes: Wishes,
  controls: Controls,
  given: { pictures: number; mask: boolean },
): Problem | undefined {
  const seed = wishes.seed.trim();
  if (wishes.prompt.trim() === '' && given.pictures === 0) {
    return { parameter: 'prompt', message: 'Say in the prompt what the picture should show.' };
  }
  if (wishes.prompt.length > limits.promptLengthMax) {
    return { parameter: 'prompt', message: tooLong('The prompt', wishes.prompt) };
  }
  if (controls.negativePrompt && wishes.negativePrompt.length > limits.promptLengthMax) {
    return { parameter: 'negativePrompt', message: tooLong('The negative prompt', wishes.negativePrompt) };
  }
  if (controls.seed && seed !== '' && !isSeed(seed, wishes.count)) {
    return { parameter: 'seed', message: `A seed is a whole number from 0 to ${SEED_MAX - (wishes.count - 1)}.` };
  }
  if (controls.needsPicture && given.pictures === 0) {
    return { parameter: 'image', message: 'This model starts from a picture: add one.' };
  }
  if (controls.needsMask && !given.mask) {
    return { parameter: 'mask', message: 'This model paints where a mask says so: paint one.' };
  }
  return undefined;
}

/** Holds nothing that the model does not have: what its form does not show is not asked for. */
export function toRequest(wishes: Wishes, controls: Controls, given: GivenPictures): ImageRequest {
  const seed = wishes.seed.trim();
  const negativePrompt = wishes.negativePrompt.trim();
  return {
    model: wishes.model,
    prompt: wishes.prompt.trim(),
    n: wishes.count,
    previews: PREVIEWS,
    ...chosenShape(wishes, controls).request,
    ...(controls.seed && seed !== '' && { seed: Number(seed) }),
    ...(controls.negativePrompt && negativePrompt !== '' && { negativePrompt }),
    ...(controls.steps && wishes.steps !== undefined && { numInferenceSteps: wishes.steps }),
    ...(controls.guidance && wishes.guidance !== undefined && { guidance: wishes.guidance }),
    ...(given.images.length > 0 && {
      image: given.images,
      ...(controls.strength && wishes.strength !== undefined && { strength: wishes.strength }),
      ...(controls.mask && given.mask !== undefined && { mask: given.mask }),
    }),
  };
}

/** The same wishes for another model: what was chosen by the range of the one before is the new one's own again. */
export function wishesFor(wishes: Wishes, model: string, controls: Controls): Wishes {
  const shape = controls.shapes.some(({ label }) => label === wishes.shape) ? wishes.shape : AUTOMATIC;
  return { ...wishes, model, shape, steps: undefined, guidance: undefined, strength: undefined };
}

export function chosenShape(wishes: Wishes, { shapes }: Controls): Shape {
  return shapes.find(({ label }) => label === wishes.shape) ?? shapes[0];
}

/** Picture k has the seed + k, which must be one too. */
function isSeed(text: string, count: number): boolean {
  return /^[0-9]{1,16}$/.test(text) && Number(text) + (count - 1) <= SEED_MAX;
}

function tooLong(what: string, text: string): string {
  return `${what} may have ${limits.promptLengthMax} characters; this one has ${text.length}.`;
}
