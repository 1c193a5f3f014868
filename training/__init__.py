"""Recipes that make models: what Barkeep ships, and what an owner may train."""
