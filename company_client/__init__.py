"""Company side: signs consents and transitions, watches its own accesses."""
