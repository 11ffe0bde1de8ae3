'use client';

import { useCallback, useEffect, useState } from 'react';
import { addPicture, GALLERY_PICTURES_MAX, listPictures, removePicture } from './gallery-store';
import type { KeptPicture } from './kept-picture';

export interface Gallery {
  /** The newest first; `undefined` until they are read. */
  pictures?: KeptPicture[];
  /** Why the browser does not keep them. */
  problem?: string;
  add: (picture: KeptPicture) => void;
  remove: (picture: KeptPicture) => void;
}

/** What is shown is what was painted; whether the browser keeps it is another matter, and said. */
export function useGallery(): Gallery {
  const [pictures, setPictures] = useState<KeptPicture[]>();
  const [problem, setProblem] = useState<string>();

  useEffect(() => {
    listPictures().then(
      kept => setPictures((painted = []) => newest([...painted, ...kept])),
      (error: unknown) => {
        setPictures((painted = []) => painted);
        setProblem(problemInWords(error));
      },
    );
  }, []);

  const add = useCallback((picture: KeptPicture) => {
    setPictures((before = []) => newest([picture, ...before]));
    addPicture(picture).then(
      () => setProblem(undefined),
      (error: unknown) => setProblem(problemInWords(error)),
    );
  }, []);

  const remove = useCallback(({ id }: KeptPicture) => {
    setPictures((before = []) => before.filter(picture => picture.id !== id));
    removePicture(id).then(
      () => setProblem(undefined),
      (error: unknown) => setProblem(problemInWords(error)),
    );
  }, []);

  return { pictures, problem, add, remove };
}

function newest(pictures: KeptPicture[]): KeptPicture[] {
  const byId = new Map(pictures.map(picture => [picture.id, picture]));
  return [...byId.values()].sort((one, other) => other.paintedAt - one.paintedAt).slice(0, GALLERY_PICTURES_MAX);
}

function problemInWords(error: unknown): string {
  const isFull = error instanceof DOMException && error.name === 'QuotaExceededError';
  const why = isFull
    ? 'This browser has no room left for pictures: delete some.'
    : 'This browser keeps no pictures for this page; a private window does not.';
  return `${why} The newest are gone after a reload: download what you want to keep.`;
}
