"""Measures of speech: words, voice, pitch and quality."""
