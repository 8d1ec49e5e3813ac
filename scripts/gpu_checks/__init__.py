"""The parts of ``scripts/gpu_check``; they need torch and numpy alone."""
