"""What an image model is, and the backends that answer. Importing this loads neither torch nor aiohttp."""
