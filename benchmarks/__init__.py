"""Benchmarks of the speech engine and the queue. The bot does not import them."""
