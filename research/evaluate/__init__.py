"""Measure how well a model speaks and follows a voice, and write tables and pictures of the results."""
