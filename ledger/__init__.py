"""Consent ledger: a hash-chained, witnessed RFC 6962 log: formats, sequencer, storage, verifier."""
