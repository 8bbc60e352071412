// Prints the ns that ONNX Runtime takes from a model's file to its first result,
// the program itself loaded. Usage: node ort_load.mjs MODEL.onnx THREADS
import { createRequire } from 'node:module'
const ort = createRequire(process.cwd() + '/')('onnxruntime-node')
const [model, threads] = process.argv.slice(2)
const begin = process.hrtime.bigint()
const session = await ort.InferenceSession.create(model, { intraOpNumThreads: +threads, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all' })
const feeds = {}
for (const m of session.inputMetadata) {
  feeds[m.name] = new ort.Tensor('float32', new Float32Array(m.shape.reduce((a, b) => a * b, 1)).fill(0.5), m.shape)
}
await session.run(feeds)
console.log(Number(process.hrtime.bigint() - begin))
