#!/usr/bin/env node
// An adapter for ONNX Runtime as Node programs use it, with the package
// onnxruntime-node, from a folder where it is installed:
//   hwprofd profile --runtime ./adapters/onnxruntime-node.mjs -o node.lut.parquet --model resnet.onnx -- 1
// The argument is the number of threads. A run is what a Node program waits
// for: it includes the binding, and outputs in new memory. Run with onnxruntime-node 1.30.
import { createRequire } from 'node:module'
import fs from 'node:fs'
import path from 'node:path'
import readline from 'node:readline'
const require = createRequire(process.cwd() + '/')
const ort = require('onnxruntime-node')
const threads = Number(process.argv[2] ?? 1)
const now = () => Number(process.hrtime.bigint())
let session = null, feeds = {}

const types = { '<f4': ['float32', Float32Array], '|u1': ['uint8', Uint8Array], '|i1': ['int8', Int8Array], '<i4': ['int32', Int32Array],
  '<i8': ['int64', BigInt64Array], '|b1': ['bool', Uint8Array], '<f8': ['float64', Float64Array] }
function readNPY(file) {
  const b = fs.readFileSync(file), end = 10 + b.readUInt16LE(8), header = b.toString('latin1', 10, end)
  const [name, array] = types[/'descr': '([^']*)'/.exec(header)[1]]
  const shape = /'shape': \(([^)]*)\)/.exec(header)[1].split(',').filter(d => d.trim()).map(Number)
  return new ort.Tensor(name, new array(b.buffer.slice(b.byteOffset + end, b.byteOffset + b.length)), shape)
}
function writeNPY(file, t) {
  const descr = Object.keys(types).find(d => types[d][0] === t.type)
  let header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${t.dims.map(d => d + ',').join('')}), }`
  header = header.padEnd(64 * Math.ceil((header.length + 11) / 64) - 11) + '\n'
  const head = Buffer.from('\x93NUMPY\x01\x00\x00\x00' + header, 'latin1')
  head.writeUInt16LE(header.length, 8)
  fs.writeFileSync(file, Buffer.concat([head, Buffer.from(t.data.buffer, t.data.byteOffset, t.data.byteLength)]))
}

const operations = {
  hello: q => {
    if (q.protocol !== 1) throw new Error('only protocol 1 is spoken')
    return { protocol: 1, name: 'onnxruntime-node', version: require('onnxruntime-node/package.json').version,
      options: { optimization: 'all' }, threads, clock_step_ns: 100, can: ['outputs'] }
  },
  load: async q => {
    await operations.unload()
    const made = await ort.InferenceSession.create(q.model, { intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all' })
    feeds = Object.fromEntries((q.inputs ?? []).map(i => [i.name, readNPY(i.file)]))
    await made.run(feeds)
    session = made
  },
  run: async q => {
    if (!session) throw new Error('no model is loaded')
    if (!(q.n >= 1)) throw new Error(`n is ${q.n}, want one or more`)
    for (let i = 0; i < (q.warm ?? 0); i++) await session.run(feeds)
    const start_ns = now()
    for (let i = 0; i < q.n; i++) await session.run(feeds)
    return { start_ns, end_ns: now() }
  },
  outputs: async q => {
    if (!session) throw new Error('no model is loaded')
    const result = await session.run(feeds)
    return { outputs: session.outputNames.map((name, i) => {
      const file = path.join(q.folder, `output${i}.npy`)
      writeNPY(file, result[name])
      return file
    }) }
  },
  unload: async () => { await session?.release(); session = null },
  shutdown: () => ({}),
}
for await (const line of readline.createInterface({ input: process.stdin })) {
  let reply, q = {}
  try {
    q = JSON.parse(line)
    if (!Object.hasOwn(operations, q.op)) throw new Error(`operation ${q.op} is not known`)
    reply = { ok: true, ...await operations[q.op](q) }
  } catch (e) { reply = { ok: false, error: String(e.message ?? e) } }
  process.stdout.write(JSON.stringify(reply) + '\n')
  if (reply.ok && q.op === 'shutdown') process.exit(0)
}
