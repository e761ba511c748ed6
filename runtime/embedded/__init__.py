"""The whole platform on one machine: real servers and our own processes under one supervisor."""

from runtime.embedded.folder import connection_settings

__all__ = ["connection_settings"]
