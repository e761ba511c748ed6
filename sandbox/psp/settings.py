"""What the environment says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class SettingsError(Exception):
    """The environment does not allow a start; the message is the one line to show."""


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True)

    host: str = Field("127.0.0.1", alias="MICROMART_HOST")
    port: int = Field(3010, alias="MICROMART_PORT", ge=0, le=65535)
    ledger: Path = Field(Path("psp-ledger.jsonl"), alias="MICROMART_PSP_LEDGER")
    api_key: str | None = Field(None, alias="MICROMART_PSP_API_KEY", repr=False)
    slow_seconds: float = Field(5.0, alias="MICROMART_PSP_SLOW_SECONDS", ge=0, allow_inf_nan=False)
    webhook_url: str | None = Field(None, alias="MICROMART_PSP_WEBHOOK_URL", pattern="^https?://")
    webhook_secret: str | None = Field(None, alias="MICROMART_PSP_WEBHOOK_SECRET", repr=False)
    environment: str = Field("", alias="MICROMART_ENVIRONMENT")

    @property
    def deliveries(self) -> Path:
        """Where the progress of the webhooks is kept: beside the ledger that they tell of."""
        return self.ledger.with_suffix(".told")

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """An empty variable counts as unset. Without a key only development may start."""
        try:
            settings = cls.model_validate({name: value for name, value in environ.items() if value})
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            raise SettingsError(f"{first['loc'][0]}: {first['msg']}") from None
        if settings.api_key is None and settings.environment != "development":
            raise SettingsError("MICROMART_PSP_API_KEY is required unless MICROMART_ENVIRONMENT=development")
        if settings.webhook_url is not None and settings.webhook_secret is None:
            raise SettingsError("MICROMART_PSP_WEBHOOK_SECRET is required with MICROMART_PSP_WEBHOOK_URL")
        return settings
