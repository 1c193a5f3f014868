"""Which model files are used, where they come from, and how their weights are loaded."""
