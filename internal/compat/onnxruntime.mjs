// Runs ONNX models with ONNX Runtime's CPU provider, from a folder that has
// onnxruntime-node. A JSON list of jobs comes on standard input:
//   [{ "model": path, "inputs": [{ "name", "dims", "file" }], "outputs": [{ "name", "file" }] }]
// Tensors are files of raw little-endian float32. One line a job: "ok" or why not.
import { createRequire } from 'node:module';
import fs from 'node:fs';

const require = createRequire(process.cwd() + '/');
const ort = require('onnxruntime-node');
for (const job of JSON.parse(fs.readFileSync(0))) {
  try {
    const session = await ort.InferenceSession.create(job.model, { intraOpNumThreads: 1, logSeverityLevel: 3 });
    const feeds = {};
    for (const { name, dims, file } of job.inputs) {
      const bytes = fs.readFileSync(file);
      feeds[name] = new ort.Tensor('float32', new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4), dims);
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
