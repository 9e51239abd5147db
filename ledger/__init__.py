"""Consent ledger: a hash-chained, witnessed RFC 6962 transparency log. Formats, sequencer, storage, verifier."""
