"""The life of a job: accepted, ordered, worked on, completed, delivered."""
