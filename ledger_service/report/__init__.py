"""A regulator's report: what the ledger says of a period, as tables, figures and charts, signed.

    entries.csv       one row per entry of the period
    entries.parquet   the same rows, typed
    checkpoint        the cosigned note against which every entry was verified
    report.html       the figures for people: charts, no scripts, no network
    summary.json      the figures for machines, the tree, and SHA-256 of each file above
    summary.jws       the statement over summary.json (docs/wire.md, section 5.9)

Rows come from verified leaf bytes and from nothing else. `folder` writes it, `check` verifies it.
"""
