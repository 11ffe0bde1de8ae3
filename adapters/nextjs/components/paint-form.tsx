'use client';

import type { CalotypeModel } from 'calotype-ai-provider';
import type { RefObject } from 'react';
import { limits } from '../lib/limits';
import type { Form } from '../lib/use-form';
import { chosenShape } from '../lib/wishes';
import type { FieldProblem } from './field';
import { ModelField } from './model-field';
import { MoreSettings } from './more-settings';
import { PictureInput } from './picture-input';
import { PromptField } from './prompt-field';
import { RadioTiles } from './radio-tiles';
import { SeedField } from './seed-field';
import { ShapeTiles } from './shape-tiles';

interface Props {
  models: CalotypeModel[];
  form: Form;
  pictureInputRef: RefObject<HTMLElement | null>;
  /** What the server says is wrong, and the id of where it is shown. */
  toldElsewhere?: { id: string; parameter?: string };
  isPainting: boolean;
  paint: () => void;
}

/** Holds what the model's card has, and nothing else. */
export function PaintForm({ models, form, pictureInputRef, toldElsewhere, isPainting, paint }: Props) {
  const { model, controls, wishes, inputs, problem, change, chooseModel } = form;
  if (model === undefined || controls === undefined) {
    return null;
  }
  const problemOf = (parameter: string): FieldProblem | undefined => {
    if (problem?.parameter === parameter) {
      return { message: problem.message };
    }
    return toldElsewhere?.parameter === parameter ? { elsewhere: toldElsewhere.id } : undefined;
  };
  return (
    <form
      className="form"
      aria-label="What to paint"
      noValidate
      onSubmit={event => {
        event.preventDefault();
        paint();
      }}
    >
      <PromptField value={wishes.prompt} change={prompt => change({ prompt })} problem={problemOf('prompt')} />
      <ModelField models={models} model={model} change={chooseModel} problem={problemOf('model')} />
      <ShapeTiles
        shapes={controls.shapes}
        value={chosenShape(wishes, controls)}
        change={shape => change({ shape })}
        hasPicture={inputs.pictures.length > 0}
      />
      <div className="form-pair">
        {controls.seed && (
          <SeedField value={wishes.seed} change={seed => change({ seed })} problem={problemOf('seed')} />
        )}
        <RadioTiles
          name="count"
          legend="Pictures"
          options={COUNTS}
          value={wishes.count}
          change={count => change({ count })}
        />
      </div>
      <MoreSettings controls={controls} wishes={wishes} change={change} problemOf={problemOf} />
      {controls.picturesMax > 0 && (
        <PictureInput
          sectionRef={pictureInputRef}
          controls={controls}
          inputs={inputs}
          wishes={wishes}
          change={change}
          problemOf={problemOf}
        />
      )}
      <div className="form-end">
        <button type="submit" className="button button-main" aria-disabled={isPainting}>
          Paint
        </button>
      </div>
    </form>
  );
}

const COUNTS = Array.from({ length: limits.imagesMax }, (_, index) => ({ value: index + 1, label: String(index + 1) }));
