"""Spoken consent: a sentence made for one request, and whether a recording says it in the voice of the clip."""
