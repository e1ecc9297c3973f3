"""When a download that failed is tried again: 1, 2, 4 s later with jitter, three times, or when its service says.

The waiting is done by the dispatcher (a download's `not_before`), never by a thread that sleeps.
"""

from __future__ import annotations

from datetime import timedelta

from tenacity import RetryCallState, Retrying
from tenacity.stop import stop_after_attempt
from tenacity.wait import wait_exponential, wait_random

from shared.model.download import Failure
from shared.model.units import Seconds

RETRIES = 3                 # after the first try
JITTER_S: Seconds = 0.5
LONGEST_S: Seconds = 24 * 3600.0

_wait = wait_exponential(multiplier=1, exp_base=2, max=timedelta(seconds=4)) + wait_random(0, JITTER_S)
_stop = stop_after_attempt(RETRIES + 1)


def wait_before_next(attempt: int, failure: Failure) -> Seconds | None:
    """Seconds from now to the next try, when try number `attempt` (1 is the first) ended with `failure`.

    None: there is no next one, because trying again cannot help or all tries are spent. What the service asked for
    (Retry-After) is waited for when it is longer.
    """
    if not failure.retryable:
        return None
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    if _stop(state):
        return None
    return min(LONGEST_S, max(_wait(state), failure.retry_after_s or 0.0))
