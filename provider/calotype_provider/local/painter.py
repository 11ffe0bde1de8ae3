"""The pictures on the device, many at a time: the hub paints them, the scheduler orders, a watchdog looks on."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

import torch

from calotype_provider.local.forward_meter import ForwardCost
from calotype_provider.local.hub import Hub
from calotype_provider.local.hub_request import HubRequest
from calotype_provider.local.loader import LoadedPipeline
from calotype_provider.local.messages import DeviceStats, Failed, Forward, Paint, Priced, Started, unread_words
from calotype_provider.local.paces import calls_per_step
from calotype_provider.local.paint_listener import EncoderPool, PaintListener, described
from calotype_provider.local.painting import pipeline_arguments, prompt_tokens
from calotype_provider.local.scheduling import Scheduler, StepRequest
from calotype_provider.local.step_costs import StepCosts, StepShape
from calotype_provider.local.waiting_call import WaitingCall
from calotype_provider.local.watchdog import Watchdog
from calotype_provider.local.worker_pipes import Outbox

PICTURES_MAX = 32
"""In the hub at once: each holds its latents and its encoded prompt."""

FORWARD_TIMES_MAX = 10.0
"""How many times longer than the table says a forward may take before the device counts as hanging."""

STATS_SECONDS_MIN = 0.25

logger = logging.getLogger("calotype.worker")


class Painter:
    """Belongs to the engine thread, which calls `run_step` as long as there is something to do."""

    def __init__(self, outbox: Outbox, *, exact: bool, hang_seconds_min: float) -> None:
        self._outbox = outbox
        self._exact = exact
        self._hang_seconds_min = hang_seconds_min
        # Where a row depends on its batch by rounding, nothing is merged before somebody has measured that it pays.
        self._costs = StepCosts(explores=not torch.cuda.is_available())
        self._scheduler = Scheduler(self._costs)
        self._hub = Hub(self._choose, on_forward=self._learn, on_out_of_memory=self._learn_limit)
        self._watchdog = Watchdog()
        self._encoders = EncoderPool()
        self._running: dict[str, Paint] = {}
        self._on_device: set[str] = set()
        """Those that have begun: the others hold no memory there."""
        self._announced: dict[str, StepRequest] = {}
        self._warming_up = False
        self._stats_sent = 0.0

    @property
    def has_work(self) -> bool:
        return bool(self._running)

    @property
    def has_room(self) -> bool:
        return len(self._running) < PICTURES_MAX

    def add(self, paint: Paint, loaded: LoadedPipeline) -> None:
        """Hand the picture to the hub. What becomes of it goes to the outbox."""
        try:
            pipeline = loaded.pipeline_for(paint)
            arguments = pipeline_arguments(pipeline, paint)
            tokens = prompt_tokens(pipeline, paint)
        except Exception as error:  # A tokenizer, or a sibling, can fail in any way; others are being painted.
            logger.exception("request %s cannot be begun", paint.request_id)
            self._outbox.send(Failed(paint.request_id, "pipeline", described(error)))
            return
        if paint.strict and tokens.unread:
            self._outbox.send(Failed(paint.request_id, "invalid", unread_words(tokens.unread)))
            return

        def on_begin() -> None:
            # Its prompt is encoded now, which is no forward that the table knows.
            self._expect("the beginning of a picture", seconds_max=FORWARD_TIMES_MAX * self._hang_seconds_min)
            self._on_device.add(paint.request_id)
            self._outbox.send(Started(paint.request_id))

        def on_end() -> None:
            self._forget_picture(paint.request_id)

        request = HubRequest(
            request_id=paint.request_id,
            model_id=paint.model_id,
            pipeline=pipeline,
            arguments=arguments,
            exact=self._exact,
            previews=paint.previews,
        )
        listener = PaintListener(
            paint,
            loaded,
            outbox=self._outbox,
            encoders=self._encoders,
            exact=self._exact,
            prompt_tokens=tokens,
            on_begin=on_begin,
            on_end=on_end,
            is_alone=lambda: not self._on_device - {paint.request_id},
        )
        self._hub.submit(request, listener)
        self._running[paint.request_id] = paint

    def warm_up(self, paint: Paint, loaded: LoadedPipeline) -> None:
        """Paint it and throw it away: the model can paint then, and the table knows what its steps cost.

        Raises what the pipeline raises. The watchdog does not look: nobody knows yet how long a step may take.
        """
        listener = _WarmUp()
        arguments = pipeline_arguments(loaded.pipeline, paint)
        request = HubRequest(
            request_id=paint.request_id, model_id=paint.model_id, pipeline=loaded.pipeline, arguments=arguments
        )
        self._hub.submit(request, listener)
        self._running[paint.request_id] = paint
        self._on_device.add(paint.request_id)
        self._warming_up = True
        while not listener.ended:
            # Others that are being painted go on meanwhile.
            self._hub.run_step()
        self._warming_up = False
        if paint.request_id in self._announced:
            # Only now does the table know; the first callers are told apart by it already.
            self._price(self._announced[paint.request_id])
        self._forget_picture(paint.request_id)
        if listener.error is not None:
            raise listener.error

    def cancel(self, request_id: str) -> None:
        self._hub.cancel(request_id)

    def forget(self, model_id: str) -> None:
        """The model is unloaded."""
        self._costs.forget(model_id)

    def run_step(self) -> None:
        """One forward, or the beginning of one picture."""
        self._hub.run_step()
        self._watchdog.relax()
        now = time.monotonic()
        if not self._running or now - self._stats_sent > STATS_SECONDS_MIN:
            self._stats_sent = now
            self._outbox.send(self._stats())

    def _choose(self, waiting: Sequence[WaitingCall]) -> Sequence[WaitingCall]:
        now = time.monotonic()
        for call in waiting:
            self._announce(call, now)
        chosen = self._scheduler.next_batch(waiting, now)
        expected = self._costs.seconds(_shape(chosen[0]), len(chosen))
        seconds_max = max(self._hang_seconds_min, FORWARD_TIMES_MAX * expected)
        self._expect(f"a forward for {len(chosen)} pictures", seconds_max=seconds_max)
        self._outbox.send(Forward(tuple(call.request_id for call in chosen)))
        return chosen

    def _expect(self, what: str, *, seconds_max: float) -> None:
        if not self._warming_up:
            self._watchdog.expect(what, seconds_max=seconds_max)

    def _forget_picture(self, request_id: str) -> None:
        self._running.pop(request_id, None)
        self._on_device.discard(request_id)
        self._announced.pop(request_id, None)
        self._scheduler.remove(request_id)

    def _announce(self, call: WaitingCall, now: float) -> None:
        """Tell the scheduler of a picture when its first call waits: only then is known what its calls cost."""
        if call.request_id in self._announced:
            return
        calls = calls_per_step(self._running[call.request_id]) * max(1, call.steps_left)
        announced = StepRequest(request_id=call.request_id, shape=_shape(call), calls=calls)
        self._announced[call.request_id] = announced
        self._scheduler.add(announced, now)
        self._price(announced)

    def _price(self, request: StepRequest) -> None:
        if self._costs.knows(request.shape.model_id):
            self._outbox.send(Priced(request.request_id, request.calls * self._costs.seconds(request.shape)))

    def _learn(self, calls: Sequence[WaitingCall], cost: ForwardCost) -> None:
        self._costs.measured(_shape(calls[0]), len(calls), seconds=cost.seconds, peak_bytes=cost.peak_bytes)

    def _learn_limit(self, calls: Sequence[WaitingCall]) -> None:
        """So many did not fit: without this every forward would be tried in vain before it is split."""
        self._costs.out_of_memory(_shape(calls[0]), len(calls))

    def _stats(self) -> DeviceStats:
        stats = self._hub.stats()
        return DeviceStats(
            forwards=stats.forwards,
            rows=stats.rows,
            batch_sizes=stats.batch_sizes,
            splits=stats.splits,
            prompt_cache_hits=stats.prompts.hits,
            prompt_cache_misses=stats.prompts.misses,
        )


def _shape(call: WaitingCall) -> StepShape:
    return StepShape(call.model_id, max(1, call.tokens))


class _WarmUp:
    """Hears of a picture that nobody asked for."""

    def __init__(self) -> None:
        self.ended = False
        self.error: BaseException | None = None

    def on_begin(self) -> None:
        pass

    def on_step(self, step: int, steps: int) -> None:
        pass

    def on_preview(self, step: int, images: torch.Tensor) -> None:
        pass

    def on_done(self, output: object) -> None:
        self.ended = True

    def on_error(self, error: BaseException) -> None:
        self.ended, self.error = True, error
