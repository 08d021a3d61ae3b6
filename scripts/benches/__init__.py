"""The benchmarks of scripts/bench, one module per sub-command. They print figures and judge nothing."""
