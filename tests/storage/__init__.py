"""Tests of storage: on real SQLite files, and on a PostgreSQL server of their own where there is one to start."""
