'use client';

import { fieldId, focusField } from '../lib/focus';
import { Field, type FieldProblem } from './field';

interface Props {
  value: string;
  change: (value: string) => void;
  problem?: FieldProblem;
}

export function SeedField({ value, change, problem }: Props) {
  const clear = () => {
    change('');
    // The button goes with the seed; the focus stays here.
    focusField(fieldId('seed'));
  };
  return (
    <Field
      name="seed"
      label="Seed"
      hint="The same seed paints the same again."
      problem={problem}
      beside={
        value !== '' && (
          <button type="button" className="link-button" onClick={clear}>
            New each time
          </button>
        )
      }
    >
      {attributes => (
        <input
          {...attributes}
          type="text"
          inputMode="numeric"
          autoComplete="off"
          spellCheck={false}
          placeholder="New each time"
          value={value}
          onChange={event => change(event.target.value)}
        />
      )}
    </Field>
  );
}
