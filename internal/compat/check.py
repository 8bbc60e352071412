"""Checks each model named on the command line with onnx.checker; one line each."""

import sys

import onnx

for path in sys.argv[1:]:
    try:
        onnx.checker.check_model(onnx.load(path), full_check=True)
        print("ok")
    except Exception as error:  # the checker raises several kinds
        print(" ".join(str(error).split()) or repr(error))
