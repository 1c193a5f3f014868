"""Choose, download and load model files."""
