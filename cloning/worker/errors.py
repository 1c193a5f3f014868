"""What can go wrong inside the speech process that is nobody's input. Free of torch, like everything that names it."""


class DeviceFailed(Exception):
    """The process cannot use its device any more; only a new process can."""
