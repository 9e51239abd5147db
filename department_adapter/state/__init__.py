"""The adapter's own state: what it answered, counted, pinned, was told directly, and learned from the ledger."""
