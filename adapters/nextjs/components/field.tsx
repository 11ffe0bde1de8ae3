'use client';

import type { ReactNode } from 'react';
import { fieldId } from '../lib/focus';

export interface FieldProblem {
  /** What is wrong, shown under the field. */
  message?: string;
  /** Where it is shown, if that is somewhere else. */
  elsewhere?: string;
}

interface FieldProps {
  /** The field's name in a request. */
  name: string;
  label: string;
  hint?: string;
  problem?: FieldProblem;
  /** Beside the label. */
  beside?: ReactNode;
  children: (attributes: FieldAttributes) => ReactNode;
}

export interface FieldAttributes {
  id: string;
  'aria-invalid': true | undefined;
  'aria-describedby': string | undefined;
}

/** A label, what it is a label of, a hint, and what is wrong. */
export function Field({ name, label, hint, problem, beside, children }: FieldProps) {
  const id = fieldId(name);
  const describedBy = [
    hint !== undefined && `${id}-hint`,
    problem?.message !== undefined && `${id}-problem`,
    problem?.elsewhere,
  ].filter(text => typeof text === 'string');
  return (
    <div className="field">
      <div className="field-head">
        <label htmlFor={id}>{label}</label>
        {beside}
      </div>
      {children({
        id,
        'aria-invalid': problem ? true : undefined,
        'aria-describedby': describedBy.length > 0 ? describedBy.join(' ') : undefined,
      })}
      {hint !== undefined && (
        <p className="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {problem?.message !== undefined && (
        <p className="field-problem" id={`${id}-problem`}>
          {problem.message}
        </p>
      )}
    </div>
  );
}
