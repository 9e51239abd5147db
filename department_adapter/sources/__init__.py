"""Where a department's rows come from: one interface, a SQL and a CSV implementation."""
