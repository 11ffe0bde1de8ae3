"""One request in the hub: a pipeline's own `__call__`, in a greenlet of its own.

It is steered through seams on the request's own shallow clone: pipeline, modules and library stay untouched.
"""

from __future__ import annotations

import copy
import functools
import logging
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from greenlet import getcurrent, greenlet
from torch import nn

from calotype_provider.local.decoding import decoding_in_tiles
from calotype_provider.local.hub_request import HubRequest, Listener, RequestCancelled
from calotype_provider.local.merging import CallReader, DenoiserCall
from calotype_provider.local.previews import predicted_clean, preview
from calotype_provider.local.prompt_cache import PromptCache
from calotype_provider.local.waiting_call import WaitingCall

DENOISERS = ("transformer", "transformer_2", "unet")

logger = logging.getLogger("calotype.hub")


class RunningRequest:
    """Begun, then resumed with an answer for every call of its denoiser until it has none."""

    def __init__(self, request: HubRequest, listener: Listener, prompts: PromptCache) -> None:
        self.request_id = request.request_id
        self.waiting: WaitingCall | None = None
        """The call that it waits for; None before its beginning and after its end."""
        self.cancelled = False
        self._request = request
        self._call: DenoiserCall | None = None
        self._listener = listener
        self._prompts = prompts
        self._greenlet: greenlet | None = None
        self._clone: Any = None
        self._steps_done = 0
        self._preview_steps: frozenset[int] | None = None
        self._last_arguments: Mapping[str, Any] = {}

    def begin(self) -> None:
        """Run up to the first call of the denoiser."""
        self._listener.on_begin()
        self._seed()
        self._greenlet = greenlet(self._paint)
        self._greenlet.switch()

    def resume(self, answer: object) -> None:
        """Go on from the call that it waited for, with its answer, up to the next one or to the end."""
        assert self._greenlet is not None, "a request was resumed before it had begun"
        self.waiting = self._call = None
        self._greenlet.switch(answer)

    def fail(self, error: BaseException) -> None:
        """Raise the error out of the call that it waited for, or out of its beginning."""
        self.waiting = self._call = None
        if self._greenlet is None:
            self._listener.on_error(error)
        else:
            self._greenlet.throw(error)

    def denoiser_call(self) -> DenoiserCall:
        assert self._call is not None, "a request without a call waits for nothing"
        return self._call

    def _paint(self) -> None:
        try:
            self._clone = self._cloned()
            output = self._clone(**self._request.arguments)
        except (Exception, RequestCancelled) as error:  # noqa: BLE001  # What a pipeline raises ends this request alone.
            self._log(error)
            outcome = functools.partial(self._listener.on_error, without_frames(error))
        else:
            outcome = functools.partial(self._listener.on_done, output)
        finally:
            # The seams lead from the clone back to here: a circle, which would keep its tensors.
            self._clone = None
            self._last_arguments = {}
        outcome()

    def _seed(self) -> None:
        """Some pipelines encode their pictures with noise from nowhere (SD3's ControlNet): let it be the request's."""
        generator = self._request.arguments.get("generator")
        if isinstance(generator, torch.Generator):
            torch.manual_seed(generator.initial_seed())

    def _log(self, error: BaseException) -> None:
        if not isinstance(error, RequestCancelled):
            logger.error("request %s failed\n%s", self.request_id, as_text(error))

    def _cloned(self) -> Any:
        clone = copy.copy(self._request.pipeline)
        own = vars(clone)
        own["scheduler"] = copy.deepcopy(clone.scheduler)
        vars(own["scheduler"])["step"] = _in_place_of(type(clone.scheduler).step, self._step)
        for name in DENOISERS:
            if isinstance(own.get(name), nn.Module):
                own[name] = self._stand_in(own[name])
        if hasattr(own.get("vae"), "enable_tiling"):
            own["vae"] = decoding_in_tiles(own["vae"])
        if hasattr(clone, "encode_prompt"):
            own["encode_prompt"] = _in_place_of(type(clone).encode_prompt, self._encode_prompt)
        # Offloading and resetting is for when the last request has gone, not for when this one has.
        own["maybe_free_model_hooks"] = _do_nothing
        own.pop("_num_timesteps", None)
        clone.set_progress_bar_config(disable=True)
        return clone

    def _stand_in(self, denoiser: nn.Module) -> nn.Module:
        """The same module to whoever looks at it; called, it hands its arguments to the hub."""
        stand_in = copy.copy(denoiser)
        reader = CallReader(denoiser)

        @functools.wraps(type(denoiser).forward)
        def forward(*args: Any, **kwargs: Any) -> Any:
            return self._wait_for(reader.read(args, kwargs, alone=self._request.exact))

        vars(stand_in).update(
            forward=forward,
            cache_context=_no_cache_context,
            # Those of the real module fire in the real forward.
            _forward_hooks={},
            _forward_pre_hooks={},
        )
        return stand_in

    def _wait_for(self, call: DenoiserCall) -> Any:
        assert getcurrent() is self._greenlet, "a denoiser was called from outside of its request"
        self._call = call
        self.waiting = WaitingCall(
            request_id=self.request_id,
            model_id=self._request.model_id,
            merge_key=call.merge_key,
            rows=call.rows,
            tokens=call.tokens,
            steps_done=self._steps_done,
            steps=self._steps(),
        )
        if self._request.previews:
            self._last_arguments = call.named
        del call
        return self._greenlet.parent.switch()

    def _encode_prompt(self, *args: Any, **kwargs: Any) -> Any:
        encode = functools.partial(type(self._clone).encode_prompt, self._clone)
        return self._prompts.encoded(self._request.pipeline, encode, args, kwargs)

    def _step(self, model_output: Any, timestep: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        scheduler = self._clone.scheduler
        output = type(scheduler).step(scheduler, model_output, timestep, sample, *args, **kwargs)
        self._steps_done += 1
        if self.cancelled:
            raise RequestCancelled
        self._listener.on_step(self._steps_done, self._steps())
        if self._request.previews and self._preview_is_due():
            self._paint_preview(model_output, sample)
        return output

    def _steps(self) -> int:
        steps: int = getattr(self._clone, "_num_timesteps", None) or len(self._clone.scheduler.timesteps)
        return steps

    def _preview_is_due(self) -> bool:
        if self._preview_steps is None:
            count, steps = self._request.previews, self._steps()
            self._preview_steps = frozenset(steps * part // (count + 1) for part in range(1, count + 1)) - {0, steps}
        return self._steps_done in self._preview_steps

    def _paint_preview(self, model_output: torch.Tensor, sample: torch.Tensor) -> None:
        clean = predicted_clean(self._clone.scheduler, model_output, sample)
        if clean is None:
            return
        try:
            images = preview(self._clone, clean, self._last_arguments)
        except torch.OutOfMemoryError:
            logger.warning("no memory for a preview of request %s", self.request_id)
        else:
            if images is not None:
                self._listener.on_preview(self._steps_done, images)


def _in_place_of(original: Callable[..., Any], own: Callable[..., Any]) -> Callable[..., Any]:
    """`own`, with the signature of `original`: pipelines ask their schedulers what arguments they take."""

    @functools.wraps(original)
    def seam(*args: Any, **kwargs: Any) -> Any:
        return own(*args, **kwargs)

    return seam


def as_text(error: BaseException) -> str:
    """For the log: a record that kept the exception would keep the tensors of its frames."""
    return "".join(traceback.format_exception(error))


def without_frames(error: BaseException) -> BaseException:
    """The same error, and those that led to it, without their tracebacks, whose frames hold tensors."""
    error.__traceback__ = None
    for origin in {error.__cause__, error.__context__}:
        if origin is not None:
            without_frames(origin)
    return error


def _no_cache_context(name: str, **_: Any) -> AbstractContextManager[None]:
    return nullcontext()


def _do_nothing() -> None:
    pass
