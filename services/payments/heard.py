"""What payments reads of what it hears."""

from contracts.events import Facts


class ReportFacts(Facts):
    """Whose payment the provider has told something about."""

    order_id: str
