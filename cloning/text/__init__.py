"""Normalise, check and split the text that Bark speaks."""
