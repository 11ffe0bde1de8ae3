'use client';

import type { CalotypeModel } from 'calotype-ai-provider';
import { useMemo, useState } from 'react';
import { controlsOf, type Controls } from './controls';
import { fieldId, focusField } from './focus';
import type { Job } from './kept-picture';
import { expectedSize } from './shapes';
import { toGivenPictures, useInputs, type Inputs } from './use-inputs';
import { chosenShape, NO_WISHES, problemWith, toRequest, wishesFor, type Problem, type Wishes } from './wishes';

export interface Form {
  /** Both absent until the models are there. */
  model?: CalotypeModel;
  controls?: Controls;
  wishes: Wishes;
  inputs: Inputs;
  problem?: Problem;
  change: (change: Partial<Wishes>) => void;
  chooseModel: (id: string) => void;
  /** Shows what is wrong where it is, and goes there. */
  refuse: (problem: Problem) => void;
  /** What it asks for; `undefined` where it was refused. */
  toJob: () => Promise<Job | undefined>;
}

/** What is typed, chosen and given, for the model that is chosen. */
export function useForm(models: CalotypeModel[] | undefined): Form {
  const [typed, setTyped] = useState(NO_WISHES);
  const [problem, setProblem] = useState<Problem>();
  const model = models?.find(({ id }) => id === typed.model) ?? models?.[0];
  const controls = useMemo(() => model && controlsOf(model.card), [model]);
  const inputs = useInputs(controls?.picturesMax ?? 0);
  const wishes = { ...typed, model: model?.id ?? '' };

  const change = (some: Partial<Wishes>) => {
    setProblem(undefined);
    setTyped({ ...wishes, ...some });
  };
  const chooseModel = (id: string) => {
    const chosen = models?.find(each => each.id === id);
    if (chosen) {
      change(wishesFor(wishes, id, controlsOf(chosen.card)));
    }
  };
  const refuse = (found: Problem) => {
    setProblem(found);
    focusField(fieldId(found.parameter));
  };
  const toJob = async () => {
    if (controls === undefined) {
      return undefined;
    }
    const found = problemWith(wishes, controls, { pictures: inputs.pictures.length, mask: inputs.strokes.length > 0 });
    if (found !== undefined) {
      refuse(found);
      return undefined;
    }
    try {
      const request = toRequest(wishes, controls, await toGivenPictures(inputs));
      inputs.forgetProblem();
      return { request, wishes, shape: expectedSize(chosenShape(wishes, controls), inputs.pictures[0]?.size) };
    } catch (error) {
      refuse({ parameter: 'image', message: (error as Error).message });
      return undefined;
    }
  };
  return { model, controls, wishes, inputs, problem, change, chooseModel, refuse, toJob };
}
