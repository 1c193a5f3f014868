"""Measures of speech: word errors, voice, pitch and quality."""
