"""What keeps the embedded platform from running."""


class PlatformError(Exception):
    """Something that the person at the keyboard can put right; the message is the one line that says what."""
