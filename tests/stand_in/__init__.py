"""A model with random weights that tests speak with, so that no test depends on which weights the repository has."""
