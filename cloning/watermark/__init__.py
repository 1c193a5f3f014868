"""The inaudible mark in generated speech: puts it in, and looks for it in a recording."""
