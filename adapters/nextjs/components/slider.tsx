'use client';

import type { NumberControl } from '../lib/controls';
import { Field, type FieldProblem } from './field';

interface Props {
  name: string;
  label: string;
  hint?: string;
  problem?: FieldProblem;
  control: NumberControl;
  /** `undefined`: the model's own. */
  value: number | undefined;
  change: (value: number) => void;
}

export function Slider({ name, label, hint, problem, control, value, change }: Props) {
  const shown = value ?? control.default;
  return (
    <Field
      name={name}
      label={label}
      hint={hint}
      problem={problem}
      // For the eye: the slider says its value itself.
      beside={<span aria-hidden="true">{Number(shown.toFixed(2))}</span>}
    >
      {attributes => (
        <input
          {...attributes}
          type="range"
          min={control.min}
          max={control.max}
          step={control.step}
          value={shown}
          onChange={event => change(event.target.valueAsNumber)}
        />
      )}
    </Field>
  );
}
