"""create_app: every route, behind the door."""

from __future__ import annotations

from collections.abc import Callable

from litestar import Litestar
from litestar.di import Provide

from calotype_runtime.door import Door
from calotype_runtime.error_answers import EXCEPTION_HANDLERS
from calotype_runtime.image_runtime import ImageRuntime
from calotype_runtime.routes import documents, engine, files, gateway, health, images, jobs, models

ROUTES = (
    images.create_images,
    images.edit_images,
    images.vary_image,
    gateway.create_gateway_images,
    gateway.get_gateway_config,
    models.list_models,
    models.get_model,
    jobs.get_job,
    jobs.cancel_job,
    jobs.follow_job,
    engine.get_engine,
    files.get_file,
    health.health,
    health.ready,
    documents.get_openapi,
)


def create_app(runtime: ImageRuntime, *, connections: Callable[[], int] = lambda: 0) -> Door:
    """The ASGI app. The runtime is started and closed with it. `connections`: see Door."""
    app = Litestar(
        route_handlers=ROUTES,
        dependencies={"runtime": Provide(lambda: runtime, sync_to_thread=False)},
        exception_handlers=EXCEPTION_HANDLERS,
        on_startup=[runtime.store.start, runtime.start],
        on_shutdown=[runtime.aclose],
        # Bodies are bounded where they are read, with an error that names the bound.
        request_max_body_size=None,
        logging_config=None,
        openapi_config=None,
    )
    return Door(app, runtime.settings, connections=connections)
