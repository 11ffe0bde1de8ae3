'use client';

import { readImageStream } from 'calotype-ai-provider/browser';
import { useCallback, useEffect, useReducer, useRef } from 'react';
import { askForPictures, toFailure } from './ask';
import { toKeptPicture, type Job, type KeptPicture } from './kept-picture';
import { NO_PAINTING, paintingAfter, type Painting, type PaintingEvent } from './painting';

/** One painting at a time. `cancel`, and a page that is left, stop the device. */
export function useImageStream(onPicture: (picture: KeptPicture) => void): {
  painting: Painting;
  paint: (job: Job) => void;
  cancel: () => void;
} {
  const [painting, dispatch] = useReducer(paintingAfter, NO_PAINTING);
  const running = useRef<AbortController>(undefined);

  const paint = useCallback(
    (job: Job) => {
      running.current?.abort();
      const controller = new AbortController();
      running.current = controller;
      // What a painting that was stopped still had to say is of no interest.
      const tell = (event: PaintingEvent) => {
        if (running.current === controller) {
          dispatch(event);
        }
      };
      void follow(job, controller.signal, tell, onPicture);
    },
    [onPicture],
  );
  const cancel = useCallback(() => running.current?.abort(), []);
  useEffect(() => cancel, [cancel]);

  return { painting, paint, cancel };
}

async function follow(
  job: Job,
  signal: AbortSignal,
  tell: (event: PaintingEvent) => void,
  onPicture: (picture: KeptPicture) => void,
): Promise<void> {
  tell({ type: 'start', job });
  try {
    for await (const part of readImageStream(await askForPictures(job.request, signal))) {
      if (part.type === 'image') {
        const picture = toKeptPicture(job, part);
        tell({ type: 'picture', imageIndex: part.imageIndex, picture });
        onPicture(picture);
      } else {
        tell({ type: 'part', part });
      }
    }
  } catch (error) {
    tell(signal.aborted ? { type: 'cancelled' } : { type: 'failed', failure: toFailure(error) });
  }
}
