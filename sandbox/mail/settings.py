"""What the environment says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox.mail.errors import SettingsError


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True)

    host: str = Field("127.0.0.1", alias="MICROMART_HOST")
    port: int = Field(3011, alias="MICROMART_PORT", ge=0, le=65535)
    smtp_port: int = Field(3025, alias="MICROMART_SMTP_PORT", ge=0, le=65535)
    folder: Path = Field(Path("mail"), alias="MICROMART_MAIL_FOLDER")

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """An empty variable counts as unset."""
        try:
            return cls.model_validate({name: value for name, value in environ.items() if value})
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            raise SettingsError(f"{first['loc'][0]}: {first['msg']}") from None
