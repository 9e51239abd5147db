"""The ledger measured against naive implementations on the same disk, in one run."""
