"""How well a model speaks and follows a voice, and the tables and pictures of it."""
