"""Persistence: rows through SQLAlchemy, files beside them, and migrations."""
