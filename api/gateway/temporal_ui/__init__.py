"""The Temporal UI behind the gateway, for the staff."""

from api.gateway.temporal_ui.sign_in import SignIn
from api.gateway.temporal_ui.ui import TemporalUi

__all__ = ["SignIn", "TemporalUi"]
