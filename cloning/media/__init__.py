"""Decode, measure, cut, join and write recordings."""
