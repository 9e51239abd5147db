"""What the gateway remembers: models, engine, transactions, queries, migrations."""
