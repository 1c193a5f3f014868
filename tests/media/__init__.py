"""Media files for the tests, made by code."""
