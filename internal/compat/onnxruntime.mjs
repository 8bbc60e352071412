// Runs ONNX models with ONNX Runtime's CPU provider, from a folder that has
// onnxruntime-node. A JSON list of jobs comes on standard input:
//   [{ "model": path, "inputs": [{ "name", "dims", "type", "file" }], "outputs": [{ "name", "file" }] }]
// Without optimisations, which in int8 change what a model says it computes.
// Tensors are files of raw little-endian elements. One line a job: "ok" or why not.
import { createRequire } from 'node:module';
import fs from 'node:fs';

const require = createRequire(process.cwd() + '/');
const ort = require('onnxruntime-node');
const arrays = { float32: Float32Array, float16: Uint16Array, int64: BigInt64Array, uint8: Uint8Array, int8: Int8Array, int32: Int32Array, float64: Float64Array, bool: Uint8Array, int16: Int16Array, uint16: Uint16Array, uint32: Uint32Array, uint64: BigUint64Array };
for (const job of JSON.parse(fs.readFileSync(0))) {
  try {
    const session = await ort.InferenceSession.create(job.model, { intraOpNumThreads: 1, logSeverityLevel: 3, graphOptimizationLevel: 'disabled' });
    const feeds = {};
    for (const { name, dims, type, file } of job.inputs ?? []) {
      const bytes = Uint8Array.from(fs.readFileSync(file)); // aligned
      feeds[name] = new ort.Tensor(type, new arrays[type](bytes.buffer), dims);
    }
    const results = await session.run(feeds);
    for (const { name, file } of job.outputs) {
      const { data } = results[name];
      fs.writeFileSync(file, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    }
    await session.release?.();
    console.log('ok');
  } catch (error) {
    console.log(String(error.message ?? error).replaceAll('\n', ' '));
  }
}
