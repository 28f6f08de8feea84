"""Models as packages for other programs, in the format of bioimage.io: networks as TorchScript and ONNX, and a sample.

Cli, gui and worker_jobs may import it.
"""
