'use client';

import { useState, type ChangeEvent, type RefObject } from 'react';
import type { Controls } from '../lib/controls';
import { fieldId } from '../lib/focus';
import { TAKEN_TYPES } from '../lib/input-picture';
import type { Inputs } from '../lib/use-inputs';
import type { Wishes } from '../lib/wishes';
import type { FieldProblem } from './field';
import { GivenPicture, MaskFacts } from './given-picture';
import { Icon } from './icons';
import { MaskDialog } from './mask-dialog';
import { Slider } from './slider';

interface Props {
  /** May be focused; so it is when a picture comes from elsewhere on the page. */
  sectionRef: RefObject<HTMLElement | null>;
  controls: Controls;
  inputs: Inputs;
  wishes: Wishes;
  change: (change: Partial<Wishes>) => void;
  problemOf: (parameter: string) => FieldProblem | undefined;
}

/** Pictures to start from, how far they may be left, and what of the first is painted anew. */
export function PictureInput({ sectionRef, controls, inputs, wishes, change, problemOf }: Props) {
  const { pictures, strokes } = inputs;
  const [isMasking, setMasking] = useState(false);
  const [first] = pictures;
  const problem = inputs.problem ?? problemOf('image')?.message ?? problemOf('mask')?.message;
  const take = ({ target }: ChangeEvent<HTMLInputElement>) => {
    void inputs.add([...(target.files ?? [])].map(toNamed));
    // So that the same file can be chosen again.
    target.value = '';
  };
  return (
    <section className="picture-input" aria-labelledby="picture-input-title" ref={sectionRef} tabIndex={-1}>
      <h2 id="picture-input-title">Start from a picture</h2>
      {pictures.length > 0 && (
        <ul role="list" aria-label="Pictures given" className="given">
          {pictures.map((picture, index) => (
            <GivenPicture
              key={picture.id}
              picture={picture}
              strokes={index === 0 && controls.mask ? strokes : []}
              remove={inputs.remove}
            />
          ))}
        </ul>
      )}
      <label className="drop-zone">
        <input
          id={fieldId('image')}
          type="file"
          className="visually-hidden"
          aria-label="Add a picture"
          aria-describedby={problem === undefined ? 'picture-input-hint' : 'picture-input-hint picture-input-problem'}
          accept={TAKEN_TYPES.join(',')}
          multiple={controls.picturesMax > 1}
          onChange={take}
        />
        <Icon name="picture" />
        <span id="picture-input-hint">
          {pictures.length > 0 && controls.picturesMax === 1
            ? 'Choose, drop or paste another'
            : 'Choose, drop or paste a picture'}
        </span>
      </label>
      {problem !== undefined && (
        <p className="field-problem" id="picture-input-problem" role="alert">
          {problem}
        </p>
      )}
      {first && controls.mask && (
        <button type="button" className="button" id={fieldId('mask')} onClick={() => setMasking(true)}>
          <Icon name="brush" />
          {strokes.length > 0 ? 'Edit the mask' : 'Paint a mask'}
        </button>
      )}
      {first && controls.mask && strokes.length > 0 && <MaskFacts picture={first} strokes={strokes} />}
      {first && controls.strength && (
        <Slider
          name="strength"
          label="Strength"
          hint="Low keeps the picture, high leaves it."
          // What a mask leaves open follows the prompt alone, unless somebody says otherwise.
          control={strokes.length > 0 ? { ...controls.strength, default: controls.strength.max } : controls.strength}
          value={wishes.strength}
          change={value => change({ strength: value })}
          problem={problemOf('strength')}
        />
      )}
      {first && isMasking && (
        <MaskDialog picture={first} strokes={strokes} change={inputs.setStrokes} close={() => setMasking(false)} />
      )}
    </section>
  );
}

function toNamed(file: File) {
  return { blob: file, name: file.name };
}
