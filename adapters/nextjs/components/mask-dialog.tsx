'use client';

import { useEffect, useRef, useState } from 'react';
import type { InputPicture } from '../lib/input-picture';
import { BRUSH, maskSize, paintedShare, type Stroke } from '../lib/mask';
import { MaskCanvas } from './mask-canvas';
import { Slider } from './slider';

interface Props {
  picture: InputPicture;
  strokes: Stroke[];
  change: (strokes: Stroke[]) => void;
  close: () => void;
}

/** Where the mask is painted. Whatever closes it keeps what was painted; "Undo" and "Clear" take it back. */
export function MaskDialog({ picture, strokes, change, close }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [brush, setBrush] = useState(BRUSH.default);
  const size = maskSize(picture.size);
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  const isEmpty = strokes.length === 0;
  return (
    <dialog className="mask-dialog" ref={dialog} aria-labelledby="mask-title" onClose={close}>
      <div className="mask-content">
        <div className="mask-head">
          <h2 id="mask-title">Mask</h2>
          <p className="hint" id="mask-help">
            Paint over what should become new.{' '}
            <span className="keyboard-help">
              By keyboard: arrows move the brush, with Shift further; Space paints while it is held; Enter puts the
              brush down, and lifts it.
            </span>
          </p>
        </div>
        <MaskCanvas
          picture={picture}
          size={size}
          strokes={strokes}
          radius={(brush * Math.max(size.width, size.height)) / 2}
          add={stroke => change([...strokes, stroke])}
        />
        <div className="mask-tools">
          <Slider
            name="brush"
            label="Brush size"
            control={PERCENT}
            value={Math.round(brush * 100)}
            change={value => setBrush(value / 100)}
          />
          <div className="mask-buttons">
            <button
              type="button"
              className="button"
              aria-disabled={isEmpty}
              onClick={() => change(strokes.slice(0, -1))}
            >
              Undo
            </button>
            <button type="button" className="button" aria-disabled={isEmpty} onClick={() => change([])}>
              Clear
            </button>
            <button type="button" className="button button-main" onClick={() => dialog.current?.close()}>
              Done
            </button>
          </div>
        </div>
        <p className="visually-hidden" role="status">
          {isEmpty ? 'Nothing is painted.' : `${Math.round(paintedShare(strokes, size) * 100)} percent is painted.`}
        </p>
      </div>
    </dialog>
  );
}

const PERCENT = { min: BRUSH.min * 100, max: BRUSH.max * 100, step: BRUSH.step * 100, default: BRUSH.default * 100 };
