"""Barkeep without Discord: the real bot in an in-memory server, shown in a local web page or driven by a script."""
