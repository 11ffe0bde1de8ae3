"""The shared local engine, and the models on it. torch and diffusers are imported from worker.py down only."""
