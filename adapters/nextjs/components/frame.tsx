'use client';

import type { CSSProperties, ReactNode } from 'react';
import type { Size } from '../lib/shapes';

/** Pictures up to this side are enlarged by whole pixels, with hard edges. */
const CRISP_SIDE_MAX = 256;

/** As large as there is room, in the shape of what it holds, so that nothing moves when the picture comes. */
export function Frame({ size, children }: { size: Size; children: ReactNode }) {
  const style = { '--width': size.width, '--height': size.height } as CSSProperties;
  return (
    <div className="frame" style={style} data-crisp={isCrisp(size) || undefined}>
      {children}
    </div>
  );
}

export function isCrisp({ width, height }: Size): boolean {
  return Math.max(width, height) <= CRISP_SIDE_MAX;
}
