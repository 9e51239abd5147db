"""Bank side: signs requests, verifies receipts and answers, decrypts scores."""
