"""Work that callers do not wait for: kept on disk, painted in its turn, asked about later."""
