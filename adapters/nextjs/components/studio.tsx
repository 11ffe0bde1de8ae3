'use client';

import { useCallback, useEffect, useRef, useState } from 'react';
import { bringIntoView, fieldId, focusField } from '../lib/focus';
import { fileNameOf, wishesOf, type KeptPicture } from '../lib/kept-picture';
import { useAnnouncement } from '../lib/use-announcement';
import { useForm } from '../lib/use-form';
import { useGallery } from '../lib/use-gallery';
import { useImageStream } from '../lib/use-image-stream';
import { useIncomingFiles } from '../lib/use-incoming-files';
import { useModels } from '../lib/use-models';
import { FailureNote } from './failure-note';
import { GallerySection } from './gallery';
import { PageHead } from './page-head';
import { PaintForm } from './paint-form';
import { FAILURE_ID, Stage } from './stage';

/** The page: a form, what is painted, and what was. */
export function Studio() {
  const { models, failure, askAgain } = useModels();
  const form = useForm(models);
  const gallery = useGallery();
  const { painting, paint, cancel } = useImageStream(gallery.add);
  const { announcement, say } = useAnnouncement(painting);
  const [shown, setShown] = useState<KeptPicture>();
  const stageRef = useRef<HTMLElement>(null);
  const pictureInputRef = useRef<HTMLElement>(null);
  const { add } = form.inputs;
  const isPainting = painting.state === 'painting';
  const isDropping = useIncomingFiles(
    useCallback((files: File[]) => void add(files.map(file => ({ blob: file, name: file.name }))), [add]),
  );

  // Whatever was looked at meanwhile: what was painted is shown when it is there.
  useEffect(() => {
    if (!isPainting) {
      setShown(undefined);
    }
  }, [isPainting]);

  const start = async () => {
    const job = isPainting ? undefined : await form.toJob();
    if (job) {
      setShown(undefined);
      paint(job);
      bringIntoView(stageRef.current);
    }
  };
  const suggest = (prompt: string) => {
    form.change({ prompt });
    focusField(fieldId('prompt'));
  };
  const show = (picture: KeptPicture) => {
    setShown(picture);
    stageRef.current?.focus({ preventScroll: true });
    bringIntoView(stageRef.current);
  };
  const startFrom = (picture: KeptPicture) => {
    void add([{ blob: picture.blob, name: fileNameOf(picture) }]);
    say('The next picture starts from this one.');
    pictureInputRef.current?.focus({ preventScroll: true });
    bringIntoView(pictureInputRef.current);
  };
  const sameSeedAgain = (picture: KeptPicture) => {
    const again = wishesOf(picture);
    const isHere = models?.some(({ id }) => id === again.model) ?? false;
    form.change(isHere ? again : { ...again, model: form.wishes.model });
    say(`The form is as it was for this picture, with its seed ${again.seed}.`);
    focusField(fieldId('prompt'));
    if (picture.fromPictures && form.inputs.pictures.length === 0) {
      form.refuse({
        parameter: 'image',
        message: 'It was painted from a picture that is not kept: add that one again.',
      });
    }
  };
  const takesPictures = (form.controls?.picturesMax ?? 0) > 0;
  const actions = { startFrom: takesPictures ? startFrom : undefined, sameSeedAgain };

  return (
    <>
      <PageHead />
      <main id="main" className="main" tabIndex={-1} data-dropping={isDropping || undefined}>
        <div className="side">
          {failure && <FailureNote failure={failure} tryAgain={askAgain} />}
          {!failure && !models && <p className="hint">Asking what can be painted with…</p>}
          {models && (
            <PaintForm
              models={models}
              form={form}
              pictureInputRef={pictureInputRef}
              toldElsewhere={shown ? undefined : { id: FAILURE_ID, parameter: painting.failure?.parameter }}
              isPainting={isPainting}
              paint={() => void start()}
            />
          )}
        </div>
        <Stage
          stageRef={stageRef}
          painting={painting}
          shown={shown}
          actions={actions}
          cancel={cancel}
          paintAgain={() => void start()}
          suggest={suggest}
        />
        <GallerySection gallery={gallery} actions={actions} show={show} say={say} />
      </main>
      <p className="visually-hidden" role="status">
        {announcement}
      </p>
    </>
  );
}
