"""The whole schema. Importing this module defines every table."""

from storage import consent_models, models
from storage.columns import Base

__all__ = ["SCHEMA", "consent_models", "models"]

SCHEMA = Base.metadata
"""Every table, with its indexes and constraints."""
