"""Money: integer minor units with a currency, never a float."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["EUR"])]
MAX_QUANTITY = 999
Quantity = Annotated[int, Field(strict=True, ge=1, le=MAX_QUANTITY)]
# A sku as it is stored and told: there may be older ones that end in a dot.
Sku = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", examples=["KIT-MOKA-3"])]
# A sku as it is sent to us: the gateway refuses paths in which something ends in a dot.
AddressableSku = Annotated[
    str,
    Field(
        max_length=64,
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9_-])?$",
        examples=["KIT-MOKA-3"],
    ),
]


class Money(BaseModel):
    """An amount in minor units (1999 EUR is 19.99 euros)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: int = Field(strict=True, ge=-(2**53), le=2**53)
    currency: Currency

    def times(self, quantity: int) -> "Money":
        return Money(amount=self.amount * quantity, currency=self.currency)

    def __str__(self) -> str:
        sign, units = ("-", -self.amount) if self.amount < 0 else ("", self.amount)
        return f"{sign}{units // 100}.{units % 100:02d} {self.currency}"


class MixedCurrencies(ValueError):
    """Amounts of different currencies were added: a bug of the caller."""


def total(amounts: Iterable[Money], currency: str) -> Money:
    """The sum in `currency`; zero for none, and an error rather than a guess for mixed currencies."""
    summed = 0
    for money in amounts:
        if money.currency != currency:
            raise MixedCurrencies(f"{money} cannot be added to a sum in {currency}")
        summed += money.amount
    return Money(amount=summed, currency=currency)
