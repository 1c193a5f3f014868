"""What Barkeep keeps: rows through SQLAlchemy, files beside them. It knows nothing of Discord or of speech."""
