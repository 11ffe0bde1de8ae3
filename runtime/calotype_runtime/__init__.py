"""Serves calls: HTTP, admission, lifecycle. The one package that knows Litestar."""
