"""A letter as a mail: headers, the text, the same in HTML."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

from services.notifications import rules
from services.notifications.letters import Letter, Recipient
from services.notifications.notification import Notification

# By which a person at the mail server finds what it belongs to.
NOTIFICATION_HEADER = "X-MicroMart-Notification"


def mail_of(
    notification: Notification, letter: Letter, recipient: Recipient, *, sender: str, now: datetime
) -> EmailMessage:
    """The mail to send; Bounced where the recipient's address is none."""
    address = rules.deliverable(recipient.email)
    message = EmailMessage(policy=SMTP if address.isascii() else SMTPUTF8)
    message["Message-ID"] = notification.message_id
    message["Date"] = format_datetime(now)
    message["From"] = sender
    local, _, domain = address.rpartition("@")
    message["To"] = Address(rules.one_line(recipient.name or ""), local, domain)
    message["Subject"] = letter.subject
    # Nobody's holiday notice answers it (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message[NOTIFICATION_HEADER] = notification.id
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    return message
