"""/jobs: a member's own jobs, and their buttons."""
