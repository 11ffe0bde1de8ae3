'use client';

import { useCallback, useState } from 'react';
import { readPicture, toDataUri, tooLarge, type InputPicture } from './input-picture';
import { maskSize, toMaskPng, type Stroke } from './mask';
import { counted } from './painting-in-words';
import type { GivenPictures } from './wishes';

export interface Inputs {
  pictures: InputPicture[];
  /** On the first picture. */
  strokes: Stroke[];
  /** Why the last one given was not taken. */
  problem?: string;
  forgetProblem: () => void;
  /** Where no more are taken, the newest take the places of the oldest. */
  add: (files: { blob: Blob; name: string }[]) => Promise<void>;
  remove: (id: string) => void;
  setStrokes: (strokes: Stroke[]) => void;
}

/** The pictures given, of which a model takes `picturesMax`, and the mask. */
export function useInputs(picturesMax: number): Inputs {
  const [given, setGiven] = useState<InputPicture[]>([]);
  const [mask, setMask] = useState<{ pictureId: string; strokes: Stroke[] }>();
  const [problem, setProblem] = useState<string>();
  const pictures = picturesMax === 0 ? [] : given.slice(-picturesMax);

  const add = useCallback(
    async (files: { blob: Blob; name: string }[]) => {
      try {
        refuseTooMany(files.length, picturesMax);
        const read = await Promise.all(files.map(({ blob, name }) => readPicture(blob, name)));
        const next = [...pictures, ...read].slice(-picturesMax);
        const words = tooLarge(next);
        if (words !== undefined) {
          throw new Error(words);
        }
        setGiven(next);
        setProblem(undefined);
      } catch (error) {
        setProblem((error as Error).message);
      }
    },
    [pictures, picturesMax],
  );
  const remove = useCallback((id: string) => {
    setGiven(before => before.filter(picture => picture.id !== id));
    setProblem(undefined);
  }, []);

  const first = pictures[0];
  const setStrokes = useCallback((strokes: Stroke[]) => setMask(first && { pictureId: first.id, strokes }), [first]);
  const strokes = mask !== undefined && mask.pictureId === first?.id ? mask.strokes : NO_STROKES;
  const forgetProblem = useCallback(() => setProblem(undefined), []);
  return { pictures, strokes, problem, forgetProblem, add, remove, setStrokes };
}

/** As a request holds them. */
export async function toGivenPictures({ pictures, strokes }: Inputs): Promise<GivenPictures> {
  const [first] = pictures;
  return {
    images: await Promise.all(pictures.map(({ blob }) => toDataUri(blob))),
    mask: first !== undefined && strokes.length > 0 ? toMaskPng(strokes, maskSize(first.size)) : undefined,
  };
}

function refuseTooMany(count: number, most: number): void {
  if (most === 0) {
    throw new Error('This model takes no pictures.');
  }
  if (count > most) {
    throw new Error(`This model takes ${counted(most, 'picture')}; these are ${count}.`);
  }
}

const NO_STROKES: Stroke[] = [];
