'use client';

import { useEffect, useState } from 'react';

/** Pictures dropped or pasted anywhere on the page. Says whether one is held over it. */
export function useIncomingFiles(take: (files: File[]) => void): boolean {
  const [isOver, setOver] = useState(false);

  useEffect(() => {
    const controller = new AbortController();
    const listen = <K extends keyof WindowEventMap>(name: K, listener: (event: WindowEventMap[K]) => void) =>
      window.addEventListener(name, listener, { signal: controller.signal });

    listen('dragover', event => {
      if (holdsFiles(event.dataTransfer)) {
        // Says that a drop is welcome; otherwise the browser would leave the page for the file.
        event.preventDefault();
        setOver(true);
      }
    });
    listen('dragleave', event => {
      if (event.relatedTarget === null) {
        setOver(false);
      }
    });
    listen('drop', event => {
      setOver(false);
      if (holdsFiles(event.dataTransfer)) {
        event.preventDefault();
        take([...(event.dataTransfer?.files ?? [])]);
      }
    });
    listen('paste', event => {
      const pictures = [...(event.clipboardData?.files ?? [])].filter(({ type }) => type.startsWith('image/'));
      // Programs that copy text often add a picture of it.
      const hasText = event.clipboardData?.types.includes('text/plain') ?? false;
      if (pictures.length > 0 && !hasText) {
        event.preventDefault();
        take(pictures);
      }
    });
    return () => controller.abort();
  }, [take]);

  return isOver;
}

function holdsFiles(transfer: DataTransfer | null): boolean {
  return transfer?.types.includes('Files') ?? false;
}
