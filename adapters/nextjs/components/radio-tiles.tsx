'use client';

import type { ReactNode } from 'react';

interface Props<T extends string | number> {
  /** Of the group; unique on the page. */
  name: string;
  legend: string;
  options: { value: T; label: string; drawing?: ReactNode }[];
  value: T;
  change: (value: T) => void;
  hint?: string;
}

/** Radio buttons that look like tiles: arrow keys move between them, as between any others. */
export function RadioTiles<T extends string | number>({ name, legend, options, value, change, hint }: Props<T>) {
  return (
    <fieldset className="tiles" role="radiogroup" aria-describedby={hint === undefined ? undefined : `${name}-hint`}>
      <legend>{legend}</legend>
      <div className="tiles-row">
        {options.map(option => (
          <label className="tile" key={option.value}>
            <input
              type="radio"
              name={name}
              checked={option.value === value}
              onChange={() => change(option.value)}
            />
            {option.drawing}
            <span>{option.label}</span>
          </label>
        ))}
      </div>
      {hint !== undefined && (
        <p className="hint" id={`${name}-hint`}>
          {hint}
        </p>
      )}
    </fieldset>
  );
}
