'use client';

import { useEffect, useRef, useState } from 'react';
import type { Painting } from './painting';
import { announcementFor } from './painting-in-words';

/** The one polite line of the page: how the painting goes, and what `say` was told. */
export function useAnnouncement(painting: Painting): { announcement: string; say: (text: string) => void } {
  const [announcement, say] = useState('');
  const before = useRef(painting);
  useEffect(() => {
    const text = announcementFor(before.current, painting);
    before.current = painting;
    if (text !== undefined) {
      say(text);
    }
  }, [painting]);
  return { announcement, say };
}
