"""Import transformers and encodec, even if torchaudio is missing or broken. Import both from here only.

encodec imports torchaudio for its command line, which Barkeep does not use. A torchaudio wheel that does not match the
torch build cannot be imported, and transformers uses whatever is installed, so both would fail.
"""

import importlib
import importlib.util
import logging
import sys
from types import ModuleType
from typing import Any

from huggingface_hub.utils.tqdm import are_progress_bars_disabled, enable_progress_bars

_log = logging.getLogger(__name__)

_TORCHAUDIO = "torchaudio"


def _hide_broken_torchaudio() -> None:
    """Make an installed torchaudio that cannot be imported look absent, also to transformers."""
    if _TORCHAUDIO in sys.modules or importlib.util.find_spec(_TORCHAUDIO) is None:
        return
    try:
        importlib.import_module(_TORCHAUDIO)
    except Exception as error:  # a mismatched wheel raises OSError, ImportError, RuntimeError or AttributeError
        _log.warning(
            "The installed torchaudio does not fit this build of torch (%s); going on without it. "
            "`pip uninstall torchaudio` removes this warning.",
            type(error).__name__,
        )
        for name in [name for name in sys.modules if name.partition(".")[0] == _TORCHAUDIO]:
            del sys.modules[name]
        # None is Python's own mark for "not importable"; `import` and `find_spec` respect it.
        sys.modules[_TORCHAUDIO] = None  # type: ignore[assignment]  # the typeshed allows only modules


def _import_encodec() -> ModuleType:
    """Import encodec, with an empty stand-in for torchaudio during the import if there is no usable one."""
    if sys.modules.get(_TORCHAUDIO) is not None or importlib.util.find_spec(_TORCHAUDIO) is not None:
        return importlib.import_module("encodec")
    missing = object()
    before = sys.modules.get(_TORCHAUDIO, missing)
    sys.modules[_TORCHAUDIO] = ModuleType(_TORCHAUDIO, "Empty stand-in while encodec is imported.")
    try:
        return importlib.import_module("encodec")
    finally:
        if before is missing:
            del sys.modules[_TORCHAUDIO]
        else:
            sys.modules[_TORCHAUDIO] = before  # type: ignore[assignment]  # None again, see above


_hide_broken_torchaudio()

encodec: Any = _import_encodec()  # Any: it exports its classes in a way that type checkers do not see

import transformers  # noqa: E402  # only now, because it looks for torchaudio when it is imported

# cloning.checkpoints.weights raises what transformers prints about weights; the rest is advice for training.
transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # transformers has no annotations here
_hub_bars_were_off = are_progress_bars_disabled()
transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # nor here
if not _hub_bars_were_off:
    enable_progress_bars()  # the line above also switches off the bars of downloads

__all__ = ["encodec", "transformers"]
