"""The rules: use cases, rights and the durable job queue, without Discord, torch or SQL."""
