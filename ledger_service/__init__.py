"""The ledger as a process of its own: gRPC servicer, witness carrier and the `ledger` command."""
