/** The server's warnings, as a person would say them. Pure. */
import type { CalotypeImageStreamPart } from 'calotype-ai-provider';

export type Warning = Extract<CalotypeImageStreamPart, { type: 'finish' }>['warnings'][number];

type Told = Exclude<Warning, { type: 'other' }>;

/** What is not known here is said as it came. `details` are the server's: what was asked, and what was painted. */
export function warningInWords(warning: Warning): string {
  if (warning.type === 'other') {
    return closed(warning.message.replace(/^(\w+)(?=: )/, feature => known({ type: 'other', feature }) ?? feature));
  }
  const words = known(warning) ?? unknownWords(warning);
  return closed([words, warning.details].filter(part => part !== undefined && part !== '').join(': '));
}

/** A feature is a word of the server's: it may be one that every object has. */
function known({ type, feature }: { type: Warning['type']; feature: string }): string | undefined {
  const words = WORDS[type];
  return Object.hasOwn(words, feature) ? words[feature] : undefined;
}

/** Before the details, which say it all where there is nothing here. */
const WORDS: Record<Warning['type'], Record<string, string>> = {
  unsupported: {
    seed: 'This model draws its own seeds, so the same picture cannot be asked for again',
    size: 'This model chooses the size itself',
    aspectRatio: 'This model chooses the shape itself',
    numInferenceSteps: 'The number of steps was left to the model',
    guidance: 'Guidance was left to the model',
    negativePrompt: 'The negative prompt was not used',
    strength: 'Strength was not used',
    quality: 'Quality was not used',
    partialImages: 'There are no previews',
    previews: 'There are no previews',
    outputCompression: 'The compression asked for was not used',
    mask: 'The mask was not used',
    files: 'The picture given was not used',
  },
  compatibility: {
    model: '',
    size: 'The picture has the nearest size that this model paints',
    aspectRatio: 'The picture has the nearest shape that this model paints',
    quality: 'It was painted at the best quality that this model has',
    files: 'The edges of the picture given were cut off',
    controlImage: 'The edges of the picture given were cut off',
  },
  other: {
    prompt: 'Part of the prompt was not read',
    negativePrompt: 'A negative prompt takes time',
    previews: 'It was done too soon for all previews',
    partialImages: 'It was done too soon for all previews',
    n: 'Some pictures are missing',
  },
};

function unknownWords({ type, feature }: Told): string {
  return type === 'unsupported' ? `“${feature}” was not used` : `“${feature}” was not done exactly as asked`;
}

function closed(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
