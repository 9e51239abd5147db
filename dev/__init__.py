"""Demo topology, development CA and sample data. Never imported by the product's packages."""
