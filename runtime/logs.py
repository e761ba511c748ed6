"""One log line an event: JSON for machines, colour for a terminal."""

import logging
import sys
from typing import Any

import structlog
from structlog.dev import RichTracebackFormatter
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor

from runtime.settings import Settings


def configure_logs(settings: Settings, process: str) -> None:
    """Route structlog and the standard library's loggers to stdout in one shape; safe to repeat."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_traceparent,
        _with_process(process),
    ]
    console = settings.log_format == "console"
    # Tracebacks without local variables: a request's body stands in them, and a password in that.
    last: list[Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=RichTracebackFormatter(show_locals=False))]
        if console
        else [
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                *shared,
                structlog.stdlib.ExtraAdder(allow=["temporal_workflow", "temporal_activity"]),
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for noisy in ("uvicorn.access", "httpx", "alembic.runtime.migration"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _with_process(process: str) -> Processor:
    service, _, part = process.rpartition("-")

    def add(_: Any, __: str, event: EventDict) -> EventDict:
        event["service"] = service or part
        event["process"] = process
        return event

    return add


def _without_traceparent(_: Any, __: str, event: EventDict) -> EventDict:
    """The trace id is what people search for; the header that carries it is only noise in a line."""
    event.pop("traceparent", None)
    return event


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
