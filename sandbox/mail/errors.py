"""What keeps the mail sink from starting."""


class SettingsError(Exception):
    """The environment does not allow a start; the message is the one line to show."""


class MailboxError(Exception):
    """The folder cannot be read or written."""
