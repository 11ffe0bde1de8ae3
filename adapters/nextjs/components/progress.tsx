'use client';

import type { Painting } from '../lib/painting';
import { progressOf } from '../lib/painting';
import { progressInWords } from '../lib/painting-in-words';

/** The live region of the page says the quarters; this is for those who look. */
export function Progress({ painting, cancel }: { painting: Painting; cancel: () => void }) {
  return (
    <div className="progress">
      <progress aria-label="Progress" value={progressOf(painting)} max={1} />
      <p className="progress-words">{progressInWords(painting)}</p>
      <button type="button" className="button" onClick={cancel}>
        Cancel
      </button>
    </div>
  );
}
