"""The ways to make a voice prompt from a clip, and the models they need."""
