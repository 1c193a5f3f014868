"""Bark: text and a voice prompt in, tokens and samples out."""
