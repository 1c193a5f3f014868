"""/admin: the commands of moderators, their lists and buttons."""
