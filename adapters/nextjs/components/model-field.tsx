'use client';

import type { CalotypeModel } from 'calotype-ai-provider';
import { Field, type FieldProblem } from './field';

interface Props {
  models: CalotypeModel[];
  model: CalotypeModel;
  change: (id: string) => void;
  problem?: FieldProblem;
}

export function ModelField({ models, model, change, problem }: Props) {
  return (
    <Field name="model" label="Model" hint={model.card.description || undefined} problem={problem}>
      {attributes => (
        <select {...attributes} value={model.id} onChange={event => change(event.target.value)}>
          {models.map(({ id }) => (
            <option key={id}>{id}</option>
          ))}
        </select>
      )}
    </Field>
  );
}
