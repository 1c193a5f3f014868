"""Tests of the cloning package."""
