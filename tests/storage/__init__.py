"""Tests of storage: on real SQLite files, and on PostgreSQL where BARKEEP_TEST_POSTGRES names an empty database."""
