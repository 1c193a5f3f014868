"""The methods that make a voice prompt from a clip, and the networks that they use."""
