"""How the process exits after a user error: one line, status 1, no traceback."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from fanin.config.errors import SettingError
from fanin.config.explain import explain

_WANTS_TRACEBACK = os.environ.get("HYDRA_FULL_ERROR") == "1"
_SECONDS_TO_LEAVE_CALLBACK = 0.01


@contextmanager
def interrupts_kept() -> Iterator[None]:
    """Raise an interrupt again if Python drops it, as it does in callbacks of imports and weakrefs.

    Python would only print a traceback, and the process would go on.
    """
    hook, handler = sys.unraisablehook, signal.getsignal(signal.SIGALRM)

    def raise_later(unraisable: "sys.UnraisableHookArgs") -> None:
        if unraisable.exc_type is KeyboardInterrupt:
            signal.setitimer(signal.ITIMER_REAL, _SECONDS_TO_LEAVE_CALLBACK)
        else:
            hook(unraisable)

    signal.signal(signal.SIGALRM, signal.default_int_handler)
    sys.unraisablehook = raise_later
    try:
        yield
    finally:
        sys.unraisablehook = hook
        signal.signal(signal.SIGALRM, handler)


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Exit with one line and status 1 if the block raises a user error."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra prints its exceptions itself
    for end in (signal.SIGTERM, signal.SIGHUP):  # close runs, as after Ctrl-C
        if signal.getsignal(end) is not signal.SIG_IGN:  # as under nohup
            signal.signal(end, signal.default_int_handler)
    try:
        with interrupts_kept():
            yield
    except Exception as error:
        if _WANTS_TRACEBACK or not _is_users_mistake(error):
            raise
        sys.exit(f"fanin: {explain(error)}")
    except KeyboardInterrupt as interruption:
        print("fanin: interrupted", *map(str, interruption.args), file=sys.stderr)
        sys.exit(130)


def _is_users_mistake(error: Exception) -> bool:
    """Whether the error is the user's mistake, and not ours."""
    if isinstance(
        error, (SettingError, HydraException, OmegaConfBaseException, OSError, YAMLError)
    ):
        return True
    # For example activation=null, or --run with -m.
    return isinstance(error, (ValueError, AssertionError)) and _raised_by_hydra(error)


def _raised_by_hydra(error: Exception) -> bool:
    """Whether Hydra itself raised it, not code that Hydra called."""
    last = error.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    return bool(last and last.tb_frame.f_globals["__name__"].startswith(("hydra.", "omegaconf.")))
