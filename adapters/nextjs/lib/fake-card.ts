/** Models as servers list them, for the tests. */
import type { CalotypeModel, CalotypeModelCard } from 'calotype-ai-provider';

export function newCard(card: Partial<CalotypeModelCard> = {}): CalotypeModelCard {
  return {
    description: '',
    defaultSize: '1024x1024',
    sizes: [],
    sizeRange: undefined,
    aspectRatioMax: 3,
    numInferenceSteps: undefined,
    guidance: undefined,
    negativePrompt: false,
    seed: true,
    qualities: {},
    strength: undefined,
    imagesMax: 0,
    mask: false,
    controlImage: false,
    requires: [],
    outputFormats: ['png'],
    maxImagesPerCall: 10,
    maxSequenceLength: undefined,
    ...card,
  };
}

export function newModel(id: string, card: Partial<CalotypeModelCard> = {}): CalotypeModel {
  return { id, ownedBy: 'calotype', card: newCard(card) };
}

/** As tintype's card has them. */
export const SMALL_SIZES = [
  '128x128',
  '144x112',
  '112x144',
  '160x96',
  '96x160',
  '176x96',
  '96x176',
  '192x80',
  '80x192',
] as const;

export const ANY_SIZE = { multipleOf: 16, sideMin: 256, sideMax: 2048, pixelsMax: 2 ** 22 };
