"""App: the HTTP skin as one FastAPI application.

access (request id, log, count, last net) ─> limits (bytes, time) ─> routes ─> pipeline
(POST /classify takes the short way of `direct`)

`app.state.pipeline` stays None until the worker has verified its model; until then everything but
health and metrics answers 503.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from service.api import classify, ops
from service.api.access import Access
from service.api.direct import DirectApp
from service.api.limits import Limits
from service.api.problem import on_http_exception, on_invalid_parameter
from service.api.schemas import Problem
from service.config import Settings

TITLE = "ICH Serve"
VERSION = "1.0.0"  # of the API; the model has its own
NOTICE = (
    "Probabilities of intracranial hemorrhage for slices of non-contrast head CT.\n\n"
    "**Research use, not a medical device.** Trained on synthetic images only; clinical "
    "performance unknown. Failures are RFC 9457 problems with a stable `code`."
)
ASSETS = "/docs/assets"
PLAIN_DOCS = (
    "<!doctype html><title>ICH Serve</title><h1>ICH Serve</h1>"
    '<p>The API is described in <a href="openapi.json">openapi.json</a>.</p>'
    "<p>Research use, not a medical device.</p>"
)


def create_app(settings: Settings, docs_assets: Path | None = None) -> FastAPI:
    """The application, not ready yet.

    Args:
        settings: limits and deadlines.
        docs_assets: a folder with `swagger-ui-bundle.js` and `swagger-ui.css`; hospitals have no
            way to a CDN. Without it /docs is a plain page that names the description.
    """
    app = DirectApp(
        settings,
        title=TITLE,
        version=VERSION,
        description=NOTICE,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        exception_handlers={
            HTTPException: on_http_exception,
            RequestValidationError: on_invalid_parameter,
        },
    )
    app.state.settings = settings
    app.state.pipeline = None
    app.state.draining = False
    app.include_router(classify.router)
    app.include_router(ops.router)
    _add_docs(app, docs_assets)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's own way
    # The last one added is the outermost.
    app.add_middleware(Limits, settings=settings)
    app.add_middleware(Access)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.path.strip("/").replace("/", "_")


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The description with the schema of the problems, which no route returns by its type."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        template = "#/components/schemas/{model}"
        problem = Problem.model_json_schema(ref_template=template)
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        schemas |= problem.pop("$defs") | {"Problem": problem}
        app.openapi_schema = schema
    return app.openapi_schema


def _add_docs(app: FastAPI, assets: Path | None) -> None:
    async def docs() -> Response:
        if assets is None:
            return HTMLResponse(PLAIN_DOCS)
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title=TITLE,
            swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{ASSETS}/favicon-light-32x32.png",
        )

    async def index() -> Response:
        return RedirectResponse("docs")

    app.add_api_route("/docs", docs, include_in_schema=False)
    app.add_api_route("/", index, include_in_schema=False)
    if assets is not None:
        app.mount(ASSETS, StaticFiles(directory=assets))
