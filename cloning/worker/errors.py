"""Errors of the speech process that no input causes. Does not import torch."""


class DeviceFailed(Exception):
    """The process cannot use its device any more; a new process can."""
