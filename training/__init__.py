"""Training of EMTCM models: data, degradations, losses, the cross-scale loop, evaluation and export."""
