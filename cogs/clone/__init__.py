"""/clone: the command, its forms, and the consent of the recorded person."""
