"""Everything that speaks Kling: credentials, requests, answers, refusals."""
