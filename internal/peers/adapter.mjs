// Times ONNX models by hwprofd's adapter for ONNX Runtime beside ONNX Runtime
// itself, as ../shared/peers/ort.mjs times it, both on the same file, in turns
// of some milliseconds on one core, so that both see the same machine.
// Usage, in a folder where onnxruntime-node is installed:
//   node adapter.mjs FOLDER|FILE.onnx THREADS SECONDS ADAPTER LIB [PARTS,OF,NAMES]
// Prints a line a model: the name, the median us of ONNX Runtime and of the
// adapter, and by how many percent the adapter's differs.
import { createRequire } from 'node:module'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { spawn } from 'node:child_process'
import readline from 'node:readline'
const ort = createRequire(process.cwd() + '/')('onnxruntime-node')
const [target, threads, seconds, program, lib, only = ''] = process.argv.slice(2)
const now = () => Number(process.hrtime.bigint())
const median = list => list.sort((a, b) => a - b)[list.length >> 1]

const adapter = spawn(program, ['--lib', lib, '--threads', threads], { stdio: ['pipe', 'pipe', 'inherit'] })
const lines = readline.createInterface({ input: adapter.stdout })[Symbol.asyncIterator]()
async function ask(q) {
  adapter.stdin.write(JSON.stringify(q) + '\n')
  const reply = JSON.parse((await lines.next()).value)
  if (!reply.ok) throw new Error(reply.error)
  return reply
}
await ask({ op: 'hello', protocol: 1 })
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hwprofd-peers-'))
function npy(file, data, shape) {
  let header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.map(d => d + ',').join('')}), }`
  header = header.padEnd(64 * Math.ceil((header.length + 11) / 64) - 11) + '\n'
  const length = Buffer.alloc(2)
  length.writeUInt16LE(header.length)
  fs.writeFileSync(file, Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), length, Buffer.from(header), Buffer.from(data.buffer)]))
}

const parts = only.split(',')
const files = target.endsWith('.onnx') ? [target]
  : fs.readdirSync(target).filter(f => f.endsWith('.onnx') && parts.some(p => f.includes(p))).sort().map(f => path.join(target, f))
for (const file of files) {
  const s = await ort.InferenceSession.create(file, { intraOpNumThreads: +threads, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all' })
  const feeds = {}, inputs = []
  for (const [i, m] of s.inputMetadata.entries()) {
    const n = m.shape.reduce((a, b) => a * b, 1)
    const data = Float32Array.from({ length: n }, (_, i) => ((i * 7919) % 1000) / 1000 - .5)
    feeds[m.name] = new ort.Tensor('float32', data, m.shape)
    inputs.push({ name: m.name, file: path.join(folder, `input${i}.npy`) })
    npy(inputs[i].file, data, m.shape)
  }
  await ask({ op: 'load', model: path.resolve(file), inputs })
  let begin = now(), runs = 0
  do { await s.run(feeds); runs++ } while (now() - begin < 1e8) // warm
  const n = Math.max(1, Math.round(4e6 / ((now() - begin) / runs)))
  await ask({ op: 'run', n: 2 * n })
  const itself = [], adapted = []
  const budget = +seconds * 1e9
  for (begin = now(); itself.length < 11 || now() - begin < budget;) {
    await s.run(feeds) // brings its data back into the caches
    for (let i = 0; i < n; i++) { const a = now(); await s.run(feeds); itself.push(now() - a) }
    await ask({ op: 'run', n: 1 })
    // As many replies as runs, so that both medians are of single runs.
    for (let i = 0; i < n; i++) { const r = await ask({ op: 'run', n: 1 }); adapted.push(r.end_ns - r.start_ns) }
  }
  const a = median(itself) / 1e3, b = median(adapted) / 1e3
  console.log(`${path.basename(file, '.onnx')},${a.toFixed(1)},${b.toFixed(1)},${(100 * (b / a - 1)).toFixed(2)}`)
  await s.release?.()
}
await ask({ op: 'shutdown' })
fs.rmSync(folder, { recursive: true })
