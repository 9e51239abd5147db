"""Where leaves are kept: one interface, its SQLite implementation, its migrations."""
