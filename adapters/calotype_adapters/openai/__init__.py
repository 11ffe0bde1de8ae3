"""The images API in OpenAI's words."""
