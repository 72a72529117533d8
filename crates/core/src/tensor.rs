//! Tensors and the one buffer, in safetensors layout, in which they lie.
