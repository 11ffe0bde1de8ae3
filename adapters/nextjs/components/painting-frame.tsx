'use client';

import type { Frame as PaintingFrame } from '../lib/painting';
import type { Size } from '../lib/shapes';
import { useObjectUrl } from '../lib/use-object-url';
import { Frame } from './frame';

/** One picture on its way: empty, then as it looks so far, then finished. */
export function PaintingFrameView({ frame, title, shape }: { frame: PaintingFrame; title: string; shape: Size }) {
  const { preview, picture } = frame;
  const url = useObjectUrl(picture?.blob);
  return (
    <Frame size={picture?.size ?? shape}>
      {url !== undefined ? (
        <img src={url} alt={title} />
      ) : (
        preview && (
          <img
            className="preview"
            src={`data:${preview.mediaType};base64,${preview.base64}`}
            alt={`Preview of ${title}`}
          />
        )
      )}
    </Frame>
  );
}
