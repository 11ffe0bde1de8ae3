'use client';

import type { Failure } from '../lib/painting';
import { useCountdown } from '../lib/use-countdown';

interface Props {
  failure: Failure;
  tryAgain: () => void;
  /** Of the message, for the field that it speaks of. */
  id?: string;
}

/** The server's own words. Where it says when to come back, the button counts to it, for the eye. */
export function FailureNote({ failure, tryAgain, id }: Props) {
  const secondsLeft = useCountdown(failure.retryAfterSeconds);
  const isEarly = secondsLeft > 0;
  return (
    <div className="note note-failure">
      <p role="alert" id={id}>
        {failure.message}
      </p>
      <button type="button" className="button" aria-disabled={isEarly} onClick={() => !isEarly && tryAgain()}>
        {isEarly ? `Try again in ${secondsLeft} s` : 'Try again'}
      </button>
    </div>
  );
}
