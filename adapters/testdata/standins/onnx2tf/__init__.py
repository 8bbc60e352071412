"""A stand-in for onnx2tf; see ../../README.md."""
import os
import shutil


def convert(input_onnx_file_path, output_folder_path, non_verbose):
    print("Model optimizing started ====")  # as the package does
    with open(input_onnx_file_path, "rb") as f:
        if b"/f32/" not in f.read():
            raise SystemExit("ERROR: the model cannot be converted")
    shutil.copy(input_onnx_file_path, os.path.join(output_folder_path, "model_float32.tflite"))
