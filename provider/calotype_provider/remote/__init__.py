"""APIs of others, over aiohttp."""
