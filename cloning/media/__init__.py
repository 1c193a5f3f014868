"""Recordings: decoded in a separate process, measured, cut, joined and written."""
