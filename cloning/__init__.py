"""Speech and nothing else: references, voice prompts, models and the worker that runs them."""
