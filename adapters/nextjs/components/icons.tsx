/** Drawn here, so that nothing is loaded for them. The words beside them say what they mean. */
const PATHS = {
  input: 'M4 5h10M4 5v14h16v-6M20 5l-8 8M12 8v5h5',
  seed: 'M20 11a8 8 0 1 0-2.3 6M20 5v6h-6',
  download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  remove: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  close: 'M6 6l12 12M18 6L6 18',
  brush: 'M20 4l-9 9M9 12l3 3c0 4-4 5-8 5 2-2 1-4 2-6a2.8 2.8 0 0 1 3-2z',
  picture: 'M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01',
};

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
