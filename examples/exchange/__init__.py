"""Networks that travel: weights to and from PyTorch and safetensors, and a network's graph as ONNX."""
