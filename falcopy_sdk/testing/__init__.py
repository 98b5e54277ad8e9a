"""What tests of plugins need: embedded services to run them against."""
