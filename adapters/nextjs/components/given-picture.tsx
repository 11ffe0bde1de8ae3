'use client';

import type { InputPicture } from '../lib/input-picture';
import { maskSize, paintedShare, type Stroke } from '../lib/mask';
import { useObjectUrl } from '../lib/use-object-url';
import { Icon } from './icons';
import { MaskOverlay } from './mask-overlay';

export function GivenPicture({
  picture,
  strokes,
  remove,
}: {
  picture: InputPicture;
  strokes: Stroke[];
  remove: (id: string) => void;
}) {
  const url = useObjectUrl(picture.blob);
  return (
    <li className="given-picture">
      <div className="given-image">
        {url && <img src={url} alt={picture.name} />}
        {strokes.length > 0 && <MaskOverlay strokes={strokes} size={maskSize(picture.size)} />}
      </div>
      <button
        type="button"
        className="icon-button"
        aria-label={`Remove ${picture.name}`}
        title="Remove"
        onClick={() => remove(picture.id)}
      >
        <Icon name="close" />
      </button>
    </li>
  );
}

export function MaskFacts({ picture, strokes }: { picture: InputPicture; strokes: Stroke[] }) {
  const percent = Math.round(paintedShare(strokes, maskSize(picture.size)) * 100);
  return <p className="hint">{percent} % of it is painted anew; the rest stays as it is.</p>;
}
