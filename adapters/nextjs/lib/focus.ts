/** Where the eye and the keyboard go next. */

/** Of a field, by its name in a request. */
export function fieldId(name: string): string {
  return `field-${name}`;
}

/** A field, also one in a part of the form that is folded. */
export function focusField(id: string): void {
  const field = document.getElementById(id);
  const folded = field?.closest('details');
  if (folded) {
    folded.open = true;
  }
  field?.focus();
}

/** Moves the page only as far as it must, and at once for those who want no motion. */
export function bringIntoView(element: HTMLElement | null): void {
  if (element === null) {
    return;
  }
  const { top } = element.getBoundingClientRect();
  if (top < 0 || top > window.innerHeight / 2) {
    const isStill = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
    element.scrollIntoView({ block: 'start', behavior: isStill ? 'auto' : 'smooth' });
  }
}
