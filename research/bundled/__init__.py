"""The recipe of the bundled model, step by step."""
