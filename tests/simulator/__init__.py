"""Tests of the simulator, the demo and the page."""
