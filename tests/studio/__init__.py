"""Tests of the rules of the studio."""
