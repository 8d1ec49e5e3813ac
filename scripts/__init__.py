"""Programs for whoever works on or measures vs-emtcm; they run from a checkout."""
