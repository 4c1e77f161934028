import { spawn } from 'node:child_process'

// Stands between the one who started the engine and the engine. A process that is killed cannot end its children; but its
// end of this pipe closes whatever ended it, and then the keeper ends the engine: none is left behind, holding the file.

const [binary, ...flags] = process.argv.slice(2)
if (binary === undefined) throw new Error('The keeper needs the path of an engine.')

const engine = spawn(binary, flags, { stdio: 'ignore' })
engine.on('error', () => process.exit(1))
engine.on('exit', (code) => process.exit(code ?? 1))

process.stdin.resume()
process.stdin.on('close', () => engine.kill())
