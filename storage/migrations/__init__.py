"""The migrations of the schema, and the upgrade that runs them."""
