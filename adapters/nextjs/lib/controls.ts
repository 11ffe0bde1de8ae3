/** A model's card -> what the form offers for it. Pure. */
import type { CalotypeModel, CalotypeModelCard } from 'calotype-ai-provider';
import { shapesOf, type Shape } from './shapes';

export interface Controls {
  description: string;
  shapes: [Shape, ...Shape[]];
  seed: boolean;
  negativePrompt: boolean;
  steps?: NumberControl;
  guidance?: NumberControl;
  /** How far a picture given may be left; used only with one. */
  strength?: NumberControl;
  /** Pictures that may be given. */
  picturesMax: number;
  mask: boolean;
  needsPicture: boolean;
  needsMask: boolean;
}

export interface NumberControl {
  min: number;
  max: number;
  step: number;
  /** The model's own, used where nothing is chosen. */
  default: number;
}

export function controlsOf(card: CalotypeModelCard): Controls {
  return {
    description: card.description,
    shapes: shapesOf(card),
    seed: card.seed,
    negativePrompt: card.negativePrompt,
    steps: numberControl(card.numInferenceSteps, 1),
    guidance: numberControl(card.guidance, 0.1),
    strength: card.imagesMax > 0 ? numberControl(card.strength, 0.05) : undefined,
    picturesMax: card.imagesMax,
    mask: card.mask && card.imagesMax > 0,
    needsPicture: card.requires.includes('images'),
    needsMask: card.requires.includes('mask'),
  };
}

/** Of the models, those that this page can paint with: it has no field for edges or depth. */
export function paintable(models: CalotypeModel[]): CalotypeModel[] {
  return models.filter(({ card }) => card.requires.every(input => input === 'images' || input === 'mask'));
}

/** A range of one value is nothing to choose. */
function numberControl(range: CalotypeModelCard['guidance'], step: number): NumberControl | undefined {
  return range === undefined || range.min >= range.max ? undefined : { ...range, step };
}
