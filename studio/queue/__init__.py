"""The life of a job: queued in fair order, run by the worker, completed, delivered."""
