"""What is reported for one setting: its share of the variation, its curve or levels, and its effect."""
