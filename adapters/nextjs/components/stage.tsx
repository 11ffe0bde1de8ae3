'use client';

import { useEffect, useRef, type RefObject } from 'react';
import { titleOf, type KeptPicture } from '../lib/kept-picture';
import { finishedPictures, type Painting } from '../lib/painting';
import { EmptyStage } from './empty-stage';
import { FailureNote } from './failure-note';
import { PaintedPicture } from './painted-picture';
import { PaintingFrameView } from './painting-frame';
import type { PictureActions } from './picture-actions';
import { Progress } from './progress';
import { WarningList } from './warning-list';

export const FAILURE_ID = 'failure-message';

interface Props {
  /** May be focused; so it is when what had the focus is gone. */
  stageRef: RefObject<HTMLElement | null>;
  painting: Painting;
  /** A picture of the gallery, in place of what was painted last. */
  shown?: KeptPicture;
  actions: PictureActions;
  cancel: () => void;
  paintAgain: () => void;
  suggest: (prompt: string) => void;
}

export function Stage(props: Props) {
  const { stageRef, painting } = props;
  const stateBefore = useRef(painting.state);
  useEffect(() => {
    // "Cancel" goes with the painting, "Try again" with the failure. Whoever was on it goes on from here.
    if (stateBefore.current !== painting.state && document.activeElement === document.body) {
      stageRef.current?.focus({ preventScroll: true });
    }
    stateBefore.current = painting.state;
  }, [painting.state, stageRef]);
  return (
    <section className="stage" aria-labelledby="result-title" id="result" ref={stageRef} tabIndex={-1}>
      <div className="stage-content">
        <h2 className="visually-hidden" id="result-title">
          Result
        </h2>
        <StageContent {...props} />
      </div>
    </section>
  );
}

function StageContent({ painting, shown, actions, cancel, paintAgain, suggest }: Props) {
  if (painting.state === 'painting') {
    return (
      <>
        {shown ? <PaintedPictures pictures={[shown]} actions={actions} /> : <OnTheWay painting={painting} />}
        <Progress painting={painting} cancel={cancel} />
      </>
    );
  }
  if (shown !== undefined) {
    return <PaintedPictures pictures={[shown]} actions={actions} />;
  }
  const pictures = finishedPictures(painting);
  return (
    <>
      {painting.failure && <FailureNote id={FAILURE_ID} failure={painting.failure} tryAgain={paintAgain} />}
      {painting.state === 'cancelled' && <p className="note">Cancelled: nothing more is painted.</p>}
      {pictures.length > 0 ? (
        <PaintedPictures pictures={pictures} actions={actions} />
      ) : (
        <EmptyStage suggest={suggest} />
      )}
      <WarningList warnings={painting.warnings} />
    </>
  );
}

function OnTheWay({ painting: { job, frames } }: { painting: Painting }) {
  if (job === undefined) {
    return null;
  }
  return (
    <div className="pictures" data-count={frames.length}>
      {frames.map((frame, index) => (
        <PaintingFrameView key={index} frame={frame} title={titleOf(job.request)} shape={job.shape} />
      ))}
    </div>
  );
}

function PaintedPictures({ pictures, actions }: { pictures: KeptPicture[]; actions: PictureActions }) {
  const [first] = pictures;
  return (
    <>
      <div className="pictures" data-count={pictures.length}>
        {pictures.map(picture => (
          <PaintedPicture key={picture.id} picture={picture} actions={actions} isOneOfSeveral={pictures.length > 1} />
        ))}
      </div>
      {first && pictures.length > 1 && <p className="painted-prompt">{titleOf(first)}</p>}
    </>
  );
}
