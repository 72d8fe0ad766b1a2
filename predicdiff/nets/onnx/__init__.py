"""Nets of ONNX files: turned into torch modules where that can be, else run by onnxruntime."""
