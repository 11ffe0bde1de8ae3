'use client';

import { titleOf, type KeptPicture } from '../lib/kept-picture';
import { useObjectUrl } from '../lib/use-object-url';
import { Frame } from './frame';
import { PictureActionBar, type PictureActions } from './picture-actions';

interface Props {
  picture: KeptPicture;
  actions: PictureActions;
  /** Of one prompt, which is then written once, below them all. */
  isOneOfSeveral: boolean;
}

export function PaintedPicture({ picture, actions, isOneOfSeveral }: Props) {
  const url = useObjectUrl(picture.blob);
  return (
    <figure className="painted">
      <Frame size={picture.size}>{url && <img className="appears" src={url} alt={titleOf(picture)} />}</Frame>
      <figcaption>
        {!isOneOfSeveral && <p className="painted-prompt">{titleOf(picture)}</p>}
        <p className="painted-facts">{(isOneOfSeveral ? seedOf(picture) : factsOf(picture)).join(' · ')}</p>
      </figcaption>
      <PictureActionBar picture={picture} url={url} actions={actions} isCompact={isOneOfSeveral} />
    </figure>
  );
}

function factsOf(picture: KeptPicture): string[] {
  const { model, size, milliseconds } = picture;
  return [
    model.split('/').at(-1) ?? model,
    `${size.width} × ${size.height}`,
    ...seedOf(picture),
    ...(milliseconds === undefined ? [] : [`${(milliseconds / 1000).toFixed(1)} s`]),
  ];
}

function seedOf({ seed }: KeptPicture): string[] {
  return seed === undefined ? [] : [`seed ${seed}`];
}
