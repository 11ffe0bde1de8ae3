'use client';

import { fileNameOf, type KeptPicture } from '../lib/kept-picture';
import { Icon } from './icons';

export interface PictureActions {
  /** Absent where the model takes no pictures. */
  startFrom?: (picture: KeptPicture) => void;
  sameSeedAgain: (picture: KeptPicture) => void;
  remove?: (picture: KeptPicture) => void;
}

interface Props {
  picture: KeptPicture;
  url: string | undefined;
  actions: PictureActions;
  /** The id of what names the picture. */
  describedBy?: string;
  /** Icons alone, for a small place; their names stay. */
  isCompact?: boolean;
}

export function PictureActionBar({ picture, url, actions, describedBy, isCompact = false }: Props) {
  const named = (name: string) => ({
    className: isCompact ? 'icon-button' : 'button button-quiet',
    'aria-describedby': describedBy,
    ...(isCompact && { 'aria-label': name, title: name }),
  });
  const { startFrom, sameSeedAgain, remove } = actions;
  return (
    <div className="picture-actions">
      {startFrom && (
        <button type="button" {...named('Use as input')} onClick={() => startFrom(picture)}>
          <Icon name="input" />
          {!isCompact && 'Use as input'}
        </button>
      )}
      {picture.seed !== undefined && (
        <button type="button" {...named('Same seed again')} onClick={() => sameSeedAgain(picture)}>
          <Icon name="seed" />
          {!isCompact && 'Same seed again'}
        </button>
      )}
      <a {...named('Download')} href={url} download={fileNameOf(picture)}>
        <Icon name="download" />
        {!isCompact && 'Download'}
      </a>
      {remove && (
        <button type="button" {...named('Delete')} onClick={() => remove(picture)}>
          <Icon name="remove" />
          {!isCompact && 'Delete'}
        </button>
      )}
    </div>
  );
}
