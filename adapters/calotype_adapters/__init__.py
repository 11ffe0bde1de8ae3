"""Other people's shapes, as pure functions: wire <-> call. Nothing but msgspec is imported here."""
