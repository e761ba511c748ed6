"""What each payment token makes of an authorization: the sandbox's stand-in for a card."""

OK = "tok_ok"
# The charge happens, the answer is lost.
TIMEOUT = "tok_timeout"
# A 500, then fine.
ERROR_ONCE = "tok_error_once"
# Answers late.
SLOW = "tok_slow"
# The buyer has to act at their bank first.
ACTION_REQUIRED = "tok_action_required"
# Authorizes; the first capture is refused, one with another key succeeds.
CAPTURE_FAILS = "tok_capture_fails"

DECLINES = {
    "tok_declined": ("declined", "The card was declined."),
    "tok_insufficient_funds": ("insufficient_funds", "The card has insufficient funds."),
}
KNOWN = frozenset({OK, TIMEOUT, ERROR_ONCE, SLOW, ACTION_REQUIRED, CAPTURE_FAILS, *DECLINES})
