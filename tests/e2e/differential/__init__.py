"""The parts of test_promql_differential.py: the same data and the same questions for vigil and for Prometheus."""
