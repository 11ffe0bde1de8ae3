/** What is said of a painting: beside its progress bar, and to those who listen. Pure. */
import { finishedPictures, progressOf, type Painting } from './painting';

export function progressInWords(painting: Painting): string {
  const { frames, queue } = painting;
  if (queue !== undefined) {
    return queueInWords(queue);
  }
  const steps = sum(frames.map(frame => frame.steps));
  if (steps === 0) {
    return 'Starting…';
  }
  const [only, ...others] = frames;
  if (only !== undefined && others.length === 0) {
    return `Step ${only.step} of ${only.steps}`;
  }
  // Of pictures that have not begun nothing is known; they take as many steps as the others.
  const total = Math.max(...frames.map(frame => frame.steps)) * frames.length;
  const done = sum(frames.map(frame => (frame.picture ? frame.steps : frame.step)));
  return `Step ${done} of ${total}, ${finishedPictures(painting).length} of ${frames.length} pictures done`;
}

/** What is worth saying aloud: the start, every quarter, the end. A failure is an alert, which says itself. */
export function announcementFor(before: Painting, now: Painting): string | undefined {
  if (now.state === 'painting' && before.state !== 'painting') {
    return 'Painting has begun.';
  }
  if (now.state === before.state) {
    return now.state === 'painting' ? onTheWay(before, now) : undefined;
  }
  switch (now.state) {
    case 'done':
      return doneInWords(now);
    case 'cancelled':
      return 'Cancelled.';
    default:
      return undefined;
  }
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function doneInWords({ frames, warnings }: Painting): string {
  const notes = warnings.length > 0 ? `, ${counted(warnings.length, 'note')}` : '';
  return `Done: ${counted(frames.length, 'picture')}${notes}.`;
}

function onTheWay(before: Painting, now: Painting): string | undefined {
  if (now.queue !== undefined && now.queue.position > 0 && before.queue === undefined) {
    return queueInWords(now.queue);
  }
  const quarter = quarterOf(now);
  return quarter > quarterOf(before) && quarter < 4 ? `${quarter * 25} percent.` : undefined;
}

function quarterOf(painting: Painting): number {
  return Math.floor((progressOf(painting) ?? 0) * 4 + 1e-9);
}

function queueInWords({ position, seconds }: { position: number; seconds?: number }): string {
  const place = position === 0 ? 'Next in line' : `Waiting, ${position} before this one`;
  return seconds === undefined
    ? `${place}.`
    : `${place}, about ${counted(Math.max(1, Math.round(seconds)), 'second')}.`;
}

function sum(numbers: number[]): number {
  return numbers.reduce((one, other) => one + other, 0);
}
