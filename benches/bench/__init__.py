"""The benchmark harness; `benches/run` starts it."""
