"""Builds FP16 TensorRT engines from PyTorch modules with one input and one output."""
