"""Reserved for the builder of TensorRT engines, which is not part of this version."""
