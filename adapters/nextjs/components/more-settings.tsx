'use client';

import type { Controls } from '../lib/controls';
import type { Wishes } from '../lib/wishes';
import { Field, type FieldProblem } from './field';
import { Slider } from './slider';

interface Props {
  controls: Controls;
  wishes: Wishes;
  change: (change: Partial<Wishes>) => void;
  problemOf: (parameter: string) => FieldProblem | undefined;
}

/** What most pictures do well without. */
export function MoreSettings({ controls, wishes, change, problemOf }: Props) {
  const { steps, guidance, negativePrompt } = controls;
  if (!steps && !guidance && !negativePrompt) {
    return null;
  }
  const isOwn = wishes.steps === undefined && wishes.guidance === undefined;
  return (
    <details className="more">
      <summary>More settings</summary>
      <div className="more-content">
        {steps && (
          <Slider
            name="numInferenceSteps"
            label="Steps"
            hint="More take longer, and finer."
            control={steps}
            value={wishes.steps}
            change={value => change({ steps: value })}
            problem={problemOf('numInferenceSteps')}
          />
        )}
        {guidance && (
          <Slider
            name="guidance"
            label="Guidance"
            hint="How closely the prompt is followed."
            control={guidance}
            value={wishes.guidance}
            change={value => change({ guidance: value })}
            problem={problemOf('guidance')}
          />
        )}
        {!isOwn && (
          <button
            type="button"
            className="link-button"
            onClick={() => change({ steps: undefined, guidance: undefined })}
          >
            Use the model’s own
          </button>
        )}
        {negativePrompt && (
          <Field
            name="negativePrompt"
            label="Negative prompt"
            hint="What the picture should not show."
            problem={problemOf('negativePrompt')}
          >
            {attributes => (
              <textarea
                {...attributes}
                rows={2}
                value={wishes.negativePrompt}
                onChange={event => change({ negativePrompt: event.target.value })}
              />
            )}
          </Field>
        )}
      </div>
    </details>
  );
}
