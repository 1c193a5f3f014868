"""Tests of the model in models/bundled, whichever weights it has."""
