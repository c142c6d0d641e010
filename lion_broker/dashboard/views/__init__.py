"""From records to what pages show: pure functions, each tested by itself."""
