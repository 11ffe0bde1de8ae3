'use client';

import type { CalotypeModel } from 'calotype-ai-provider';
import { useCallback, useEffect, useState } from 'react';
import { askForModels, toFailure } from './ask';
import { paintable } from './controls';
import type { Failure } from './painting';

/** What the server paints with; nothing yet, or why not. */
export function useModels(): { models?: CalotypeModel[]; failure?: Failure; askAgain: () => void } {
  const [answer, setAnswer] = useState<{ models?: CalotypeModel[]; failure?: Failure }>({});
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    const controller = new AbortController();
    askForModels(controller.signal).then(
      models => setAnswer(toAnswer(paintable(models))),
      (error: unknown) => {
        if (!controller.signal.aborted) {
          setAnswer({ failure: toFailure(error) });
        }
      },
    );
    return () => controller.abort();
  }, [attempt]);

  const askAgain = useCallback(() => {
    setAnswer({});
    setAttempt(count => count + 1);
  }, []);
  return { ...answer, askAgain };
}

function toAnswer(models: CalotypeModel[]) {
  return models.length > 0
    ? { models }
    : { failure: { message: 'The server has no model that this page can paint with.' } };
}
