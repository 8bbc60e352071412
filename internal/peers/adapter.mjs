// Times ONNX models by adapters for ONNX Runtime beside ONNX Runtime itself, all
// on the same file with the same inputs, in turns of some milliseconds on one
// core, so that all see the same machine. Each turn begins with a run that is not
// counted, which brings the data back into the caches. ONNX Runtime itself is timed three
// times: from JavaScript as ../shared/peers/ort.mjs does, where each run also pays
// for the binding and for outputs in new memory, and twice from C by ort.c, to
// see how far two of the same program are apart. All load the model several
// times, since where its memory lies makes a difference of some percent. Usage,
// in a folder where onnxruntime-node is installed:
//   node adapter.mjs FOLDER|FILE.onnx,... SECONDS LIB ORT_C PARTS,OF,NAMES [LEAST_US] -- ADAPTER [ARGUMENT...] [-- ADAPTER ...]
// Prints a line a model that takes LEAST_US or more: the name, the median us from
// JavaScript and from C, the percent by which the second C differs from the
// first, then of each adapter the median us and the percent by which it differs
// from JavaScript and from both C.
import { createRequire } from 'node:module'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { spawn } from 'node:child_process'
import readline from 'node:readline'
const ort = createRequire(process.cwd() + '/')('onnxruntime-node')
const separators = process.argv.flatMap((a, i) => a === '--' ? [i] : []).concat(process.argv.length)
const [target, seconds, lib, reference, only = '', least = 0] = process.argv.slice(2, separators[0])
const loads = 3
const commands = separators.slice(0, -1).map((at, i) => process.argv.slice(at + 1, separators[i + 1]))
const now = () => Number(process.hrtime.bigint())
const median = list => list.sort((a, b) => a - b)[list.length >> 1]

function talk(command, options) {
  const child = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'], ...options })
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return { child, ask: async line => { child.stdin.write(line + '\n'); return JSON.parse((await lines.next()).value) } }
}
const adapters = commands.map(command => {
  const { ask } = talk(command)
  return async q => {
    const reply = await ask(JSON.stringify(q))
    if (!reply.ok) throw new Error(reply.error)
    return reply
  }
})
for (const ask of adapters) await ask({ op: 'hello', protocol: 1 })
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hwprofd-peers-'))
function npy(file, data, shape) {
  let header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.map(d => d + ',').join('')}), }`
  header = header.padEnd(64 * Math.ceil((header.length + 11) / 64) - 11) + '\n'
  const length = Buffer.alloc(2)
  length.writeUInt16LE(header.length)
  fs.writeFileSync(file, Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), length, Buffer.from(header), Buffer.from(data.buffer)]))
}

const parts = only.split(',')
const files = target.endsWith('.onnx') ? target.split(',')
  : fs.readdirSync(target).filter(f => f.endsWith('.onnx') && parts.some(p => f.includes(p))).sort().map(f => path.join(target, f))
for (const file of files) {
  const times = Array.from({ length: 3 + adapters.length }, () => []), order = [...times.keys()]
  for (let load = 0; load < loads && !(load && median(times[1]) < least); load++) {
    const s = await ort.InferenceSession.create(file, { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all' })
    const feeds = {}, inputs = []
    for (const [i, m] of s.inputMetadata.entries()) {
      const n = m.shape.reduce((a, b) => a * b, 1)
      const data = Float32Array.from({ length: n }, (_, i) => ((i * 7919) % 1000) / 1000 - .5)
      feeds[m.name] = new ort.Tensor('float32', data, m.shape)
      const file = path.join(folder, `input${i}`)
      inputs.push({ name: m.name, file: file + '.npy', raw: `${m.name}:${file}:${m.shape}` })
      npy(file + '.npy', data, m.shape)
      fs.writeFileSync(file, Buffer.from(data.buffer))
    }
    const c = [0, 1].map(() => talk([reference, lib, file, '1', ...inputs.map(x => x.raw)]))
    for (const ask of adapters) await ask({ op: 'load', model: path.resolve(file), inputs: inputs.map(({ name, file }) => ({ name, file })) })
    let begin = now(), runs = 0
    do { await s.run(feeds); runs++ } while (now() - begin < 5e7) // warm
    const n = Math.max(1, Math.round(4e6 / ((now() - begin) / runs)))
    const turns = [
      async n => { await s.run(feeds); const a = now(); for (let i = 0; i < n; i++) await s.run(feeds); return now() - a },
      ...c.map(c => c.ask),
      ...adapters.map(ask => async n => { const r = await ask({ op: 'run', n, warm: 1 }); return r.end_ns - r.start_ns }),
    ]
    for (const turn of turns) await turn(2 * n)
    begin = now()
    for (let turn = 0; turn < 5 || now() - begin < +seconds / loads * 1e9; turn++) {
      order.push(order.shift()) // nobody is always the one after the same
      if (turn % 2) order.reverse()
      for (const i of order) times[i].push(await turns[i](n) / n / 1e3)
    }
    for (const { child } of c) child.stdin.end()
    await s.release?.()
  }
  const both = median([...times[1], ...times[2]])
  if (both < least) continue
  const [js, first, second, ...adapted] = times.map(median), percent = (t, of) => (100 * (t / of - 1)).toFixed(2)
  console.log([path.basename(file, '.onnx'), js.toFixed(1), both.toFixed(1), percent(second, first),
    ...adapted.flatMap(t => [t.toFixed(1), percent(t, js), percent(t, both)])].join())
}
for (const ask of adapters) await ask({ op: 'shutdown' })
fs.rmSync(folder, { recursive: true })
