"""Speech processing: recordings, voice prompts, models, and the worker process that runs them."""
