'use client';

import { useEffect, useId, useRef, useState } from 'react';
import { GALLERY_PICTURES_MAX } from '../lib/gallery-store';
import { titleOf, type KeptPicture } from '../lib/kept-picture';
import type { Gallery } from '../lib/use-gallery';
import { useObjectUrl } from '../lib/use-object-url';
import { isCrisp } from './frame';
import { PictureActionBar, type PictureActions } from './picture-actions';

interface Props {
  gallery: Gallery;
  actions: PictureActions;
  show: (picture: KeptPicture) => void;
  say: (text: string) => void;
}

export function GallerySection({ gallery, actions, show, say }: Props) {
  const { pictures, problem } = gallery;
  const [removed, setRemoved] = useState<KeptPicture>();
  const sectionRef = useRef<HTMLElement>(null);
  const remove = (picture: KeptPicture) => {
    gallery.remove(picture);
    setRemoved(picture);
    say('Deleted.');
  };
  const bringBack = (picture: KeptPicture) => {
    gallery.add(picture);
    setRemoved(undefined);
    say('It is back.');
    sectionRef.current?.focus({ preventScroll: true });
  };
  return (
    <section className="gallery" aria-labelledby="gallery-title" id="gallery" ref={sectionRef} tabIndex={-1}>
      <div className="gallery-head">
        <h2 id="gallery-title">Gallery</h2>
        <p className="hint">The last {GALLERY_PICTURES_MAX} pictures, kept in this browser and nowhere else.</p>
        {removed && <UndoButton key={removed.id} undo={() => bringBack(removed)} />}
      </div>
      {problem && (
        <p className="note" role="alert">
          {problem}
        </p>
      )}
      {pictures?.length === 0 && <p className="hint">Nothing yet.</p>}
      {pictures && pictures.length > 0 && (
        <ul role="list" aria-labelledby="gallery-title" className="gallery-list">
          {pictures.map(picture => (
            <GalleryItem key={picture.id} picture={picture} actions={{ ...actions, remove }} show={show} />
          ))}
        </ul>
      )}
    </section>
  );
}

/** Takes the focus that the deleted picture had. */
function UndoButton({ undo }: { undo: () => void }) {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => button.current?.focus(), []);
  return (
    <button type="button" className="button" ref={button} onClick={undo}>
      Undo delete
    </button>
  );
}

function GalleryItem({
  picture,
  actions,
  show,
}: {
  picture: KeptPicture;
  actions: PictureActions;
  show: Props['show'];
}) {
  const url = useObjectUrl(picture.blob);
  const id = useId();
  return (
    <li className="gallery-item">
      <button type="button" id={id} className="gallery-picture" onClick={() => show(picture)}>
        {url && <img src={url} alt={titleOf(picture)} data-crisp={isCrisp(picture.size) || undefined} />}
      </button>
      <PictureActionBar picture={picture} url={url} actions={actions} describedBy={id} isCompact />
    </li>
  );
}
