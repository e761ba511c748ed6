"""Every type of event that is published: who says it, what it carries, what it means."""

from dataclasses import dataclass

from contracts.auth import (
    EMAIL_VERIFICATION_REQUESTED,
    EMAIL_VERIFIED,
    PASSWORD_CHANGED,
    PASSWORD_RESET_REQUESTED,
    USER_REGISTERED,
    EmailVerified,
    MailRequested,
    PasswordChanged,
    UserRegistered,
)
from contracts.carts import (
    CART_ABANDONED,
    CART_CHANGED,
    CART_MERGED,
    CART_SETTLED,
    CartAbandoned,
    CartChanged,
    CartMerged,
    CartSettled,
)
from contracts.events import EventData
from contracts.fulfilment import (
    SHIPMENT_DELIVERED,
    SHIPMENT_HELD,
    SHIPMENT_OPENED,
    SHIPMENT_OVERDUE,
    SHIPMENT_SHIPPED,
    SHIPMENT_STOPPED,
    SHIPPING_REQUESTED,
    ShipmentChanged,
)
from contracts.inventory import STOCK_CHANGED, StockChanged
from contracts.notifications import NOTIFICATION_BOUNCED, NOTIFICATION_SENT, NotificationChanged
from contracts.orders import (
    ORDER_CANCELLED,
    ORDER_COMPLETED,
    ORDER_CONFIRMED,
    ORDER_DELIVERED,
    ORDER_PLACED,
    ORDER_REJECTED,
    ORDER_SHIPPED,
    OrderChanged,
)
from contracts.payments import (
    PAYMENT_ACTION_REQUIRED,
    PAYMENT_AUTHORIZED,
    PAYMENT_CAPTURE_FAILED,
    PAYMENT_CAPTURED,
    PAYMENT_DECLINED,
    PAYMENT_REFUNDED,
    PAYMENT_VOIDED,
    PROVIDER_REPORTED,
    PaymentChanged,
    ProviderReported,
)
from contracts.products import (
    PRICE_CHANGED,
    PRODUCT_CREATED,
    PRODUCT_UPDATED,
    REMOVED,
    PriceChanged,
    ProductCreated,
    ProductUpdated,
    Removed,
)

DataClass = type[EventData]


@dataclass(frozen=True)
class Published:
    """One type of event: the service that says it, its data, and its meaning in a sentence for people."""

    type: str
    service: str
    data: DataClass
    meaning: str


PUBLISHED = (
    Published(USER_REGISTERED, "auth", UserRegistered, "Somebody has an account now."),
    Published(
        EMAIL_VERIFICATION_REQUESTED, "auth", MailRequested, "An address is to be proved by a mailed link."
    ),
    Published(EMAIL_VERIFIED, "auth", EmailVerified, "An account's address has been proved."),
    Published(
        PASSWORD_RESET_REQUESTED, "auth", MailRequested, "Somebody asked for a link to set a new password."
    ),
    Published(PASSWORD_CHANGED, "auth", PasswordChanged, "An account has another password."),
    Published(PRODUCT_CREATED, "products", ProductCreated, "A product is sold now."),
    Published(PRODUCT_UPDATED, "products", ProductUpdated, "A product was changed."),
    Published(PRICE_CHANGED, "products", PriceChanged, "One sku costs something else now."),
    Published(REMOVED, "products", Removed, "Skus are sold no more."),
    Published(STOCK_CHANGED, "inventory", StockChanged, "More or less can be had of a sku."),
    Published(CART_CHANGED, "carts", CartChanged, "A line was put in, changed, taken out or repriced."),
    Published(CART_MERGED, "carts", CartMerged, "A guest's cart was added to its buyer's own, and is gone."),
    Published(CART_SETTLED, "carts", CartSettled, "What an order bought was taken out."),
    Published(CART_ABANDONED, "carts", CartAbandoned, "A customer's cart has not been touched for a while."),
    Published(ORDER_PLACED, "orders", OrderChanged, "An order exists; its checkout begins."),
    Published(ORDER_CONFIRMED, "orders", OrderChanged, "Stock is reserved and money held: it is bought."),
    Published(ORDER_REJECTED, "orders", OrderChanged, "A service refused the checkout, which is undone."),
    Published(
        ORDER_CANCELLED, "orders", OrderChanged, "The buyer, an operator or the time limit called it off."
    ),
    Published(ORDER_SHIPPED, "orders", OrderChanged, "The parcel is on its way."),
    Published(ORDER_DELIVERED, "orders", OrderChanged, "The parcel has arrived."),
    Published(ORDER_COMPLETED, "orders", OrderChanged, "Delivered and paid: nothing is left to be done."),
    Published(PAYMENT_ACTION_REQUIRED, "payments", PaymentChanged, "The buyer has to act at the bank first."),
    Published(PAYMENT_AUTHORIZED, "payments", PaymentChanged, "The amount is held on the buyer's card."),
    Published(PAYMENT_DECLINED, "payments", PaymentChanged, "The provider said no."),
    Published(PAYMENT_VOIDED, "payments", PaymentChanged, "What was held was let go."),
    Published(PAYMENT_CAPTURED, "payments", PaymentChanged, "What was held was taken."),
    Published(PAYMENT_CAPTURE_FAILED, "payments", PaymentChanged, "What was held could not be taken."),
    Published(PAYMENT_REFUNDED, "payments", PaymentChanged, "A part or all of what was taken went back."),
    Published(
        PROVIDER_REPORTED, "payments", ProviderReported, "A webhook came: what is true is to be asked anew."
    ),
    Published(SHIPMENT_OPENED, "fulfilment", ShipmentChanged, "There is a parcel to be sent."),
    Published(SHIPMENT_STOPPED, "fulfilment", ShipmentChanged, "The parcel is never sent."),
    Published(
        SHIPPING_REQUESTED,
        "fulfilment",
        ShipmentChanged,
        "The staff ships it: it cannot be stopped any more.",
    ),
    Published(
        SHIPMENT_HELD, "fulfilment", ShipmentChanged, "Shipping failed: the parcel waits for a person."
    ),
    Published(SHIPMENT_OVERDUE, "fulfilment", ShipmentChanged, "The parcel sits: the staff is reminded."),
    Published(SHIPMENT_SHIPPED, "fulfilment", ShipmentChanged, "Paid, out of stock, handed to the carrier."),
    Published(SHIPMENT_DELIVERED, "fulfilment", ShipmentChanged, "The carrier has delivered it."),
    Published(
        NOTIFICATION_SENT, "notifications", NotificationChanged, "A mail server has taken the message."
    ),
    Published(
        NOTIFICATION_BOUNCED, "notifications", NotificationChanged, "The address takes no mail, for good."
    ),
)
