'use client';

import type { KeyboardEvent } from 'react';
import { limits } from '../lib/limits';
import { Field, type FieldProblem } from './field';

interface Props {
  value: string;
  change: (value: string) => void;
  problem?: FieldProblem;
}

/** From here on the letters left are of interest. */
const LENGTH_SHOWN_FROM = limits.promptLengthMax * 0.9;

export function PromptField({ value, change, problem }: Props) {
  const hint =
    value.length > LENGTH_SHOWN_FROM
      ? `${value.length} of ${limits.promptLengthMax} characters`
      : 'Ctrl + Enter paints.';
  return (
    <Field name="prompt" label="Prompt" hint={hint} problem={problem}>
      {attributes => (
        <textarea
          {...attributes}
          className="prompt"
          rows={3}
          value={value}
          placeholder="What should the picture show?"
          onChange={event => change(event.target.value)}
          onKeyDown={submitOnCtrlEnter}
        />
      )}
    </Field>
  );
}

function submitOnCtrlEnter(event: KeyboardEvent<HTMLTextAreaElement>) {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    event.currentTarget.form?.requestSubmit();
  }
}
